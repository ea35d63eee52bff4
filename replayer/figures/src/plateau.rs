//! The seconds that are judged.

use run_log::audit::AuditCounts;
use run_log::format::Phase;
use run_log::format::{Fidelity, LoadHeld, Scope, Tag, Window};
use run_log::phase::step_of;
use run_log::timeline::Second;
use scenario::{Expectation, Scope as Of};

use crate::{Counts, Group, Reading, Recorded};

/// Indices to names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub endpoints: Vec<String>,
    pub personas: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("tag {0} is of an endpoint or persona that has no name")]
pub struct UnknownTag(pub Tag);

/// What is judged of a run: for rates and users the seconds of the window; for counts and
/// latencies everything that ended from its start on, the recovery and the drain included.
///
/// Seconds are added in their order, each with [`Plateau::add_row`] and then, for each tag,
/// [`Plateau::add`]. The window's end may move forward while a run goes on.
#[derive(Clone, Debug)]
pub struct Plateau {
    /// From the window's start to the end of the run.
    pub counts: Counts,
    /// Within the window alone.
    pub within: Counts,
    seconds: u64,
    length_s: f64,
    fewest_users: Option<u64>,
    /// By open pacing, once the run is over: no row and no tag tells of it.
    pub load_held: Option<LoadHeld>,
    /// Of the whole run, once it is over: no row and no tag tells of it.
    pub fidelity: Fidelity,
    /// Of the whole run, once an audit was done: no row and no tag tells of it.
    pub audit: Option<AuditCounts>,
    /// Of all endpoints.
    pub all: Group,
    /// In the order of their indices.
    pub endpoints: Vec<Group>,
    /// The same requests by persona.
    pub personas: Vec<Group>,
    phases: Vec<OfPhase>,
}

/// A phase that is measured: what ended in its seconds, all requests together and those by name
/// that something is asked of.
#[derive(Clone, Debug)]
struct OfPhase {
    name: String,
    window: Window,
    /// Its groups are those of `named`, in that order: of all endpoints and steps they would be
    /// gigabytes.
    plateau: Plateau,
    named: Vec<Scope>,
}

impl OfPhase {
    fn new(Phase { name, window, load_held, .. }: &Phase) -> Self {
        let all = Group::named(&format!("phase {name}"));
        let plateau = Plateau { all, load_held: *load_held, ..Plateau::new(&Names::default()) };
        Self { name: name.clone(), window: *window, plateau, named: Vec::new() }
    }

    fn add(&mut self, tag: Tag, recorded: &Recorded) {
        if let Scope::Endpoint(_) = tag.scope {
            self.plateau.all.add(tag.kind, recorded, true);
        }
        let of_it = self.named.iter().zip(&mut self.plateau.endpoints);
        for (_, group) in of_it.filter(|(scope, _)| **scope == tag.scope) {
            group.add(tag.kind, recorded, true);
        }
    }
}

impl Plateau {
    pub fn new(names: &Names) -> Self {
        let groups = |names: &[String]| names.iter().map(|name| Group::named(name)).collect();
        Self {
            counts: Counts::default(),
            within: Counts::default(),
            seconds: 0,
            length_s: 0.0,
            fewest_users: None,
            load_held: None,
            fidelity: Fidelity::default(),
            audit: None,
            all: Group::named("All"),
            endpoints: groups(&names.endpoints),
            personas: groups(&names.personas),
            phases: Vec::new(),
        }
    }

    /// Measures those of a run's phases, too, that something is expected of.
    pub fn watch(&mut self, phases: &[Phase], expectations: &[Expectation]) {
        let is_expected_of = |phase: &&Phase| {
            expectations.iter().any(|expectation| expectation.phase() == Some(&phase.name))
        };
        self.phases = phases.iter().filter(is_expected_of).map(OfPhase::new).collect();
    }

    /// Measures all steps of a load in stages, too, as far as these ask for names' own figures.
    pub fn watch_steps(&mut self, phases: &[Phase], asked: &[Expectation]) {
        let names: Vec<(Scope, &str)> = asked.iter().filter_map(|of| self.scope_of(of)).collect();
        for phase in phases.iter().filter(|phase| step_of(phase).is_some()) {
            let known = self.phases.iter().position(|of| of.name == phase.name);
            let index = known.unwrap_or_else(|| {
                self.phases.push(OfPhase::new(phase));
                self.phases.len() - 1
            });
            let of = &mut self.phases[index];
            of.named = names.iter().map(|(scope, _)| *scope).collect();
            of.plateau.endpoints = names.iter().map(|(_, name)| Group::named(name)).collect();
        }
    }

    /// What a name is of, where an expectation is about one.
    fn scope_of<'a>(&self, of: &'a Expectation) -> Option<(Scope, &'a str)> {
        let Of::Named(name) = &of.scope else { return None };
        let place = |groups: &[Group]| groups.iter().position(|group| group.name == *name);
        let endpoint = place(&self.endpoints).map(Scope::Endpoint);
        let scope = endpoint.or_else(|| place(&self.personas).map(Scope::Persona))?;
        Some((scope, name))
    }

    /// Tells how much of each phase's load was held, once the run is over.
    pub fn load_held_by_phase(&mut self, phases: &[Phase]) {
        for of in &mut self.phases {
            let phase = phases.iter().find(|phase| phase.name == of.name);
            of.plateau.load_held = phase.and_then(|phase| phase.load_held);
        }
    }

    /// The figures of a phase that is watched.
    pub fn phase(&self, name: &str) -> Option<&Self> {
        self.phases.iter().find(|of| of.name == name).map(|of| &of.plateau)
    }

    /// Takes in the row of a second.
    pub fn add_row(&mut self, window: Window, row: &Second) {
        for of in self.phases.iter_mut().filter(|of| of.window.contains(row.second)) {
            of.plateau.add_row(of.window.until(window.end()), row);
        }
        if row.second < window.start_s {
            return;
        }
        self.counts.add(row);
        if row.second < window.end_s {
            self.within.add(row);
            self.seconds += 1;
            self.length_s += window.length_of(row.second);
            self.fewest_users = Some(self.fewest_users.map_or(row.users, |u| u.min(row.users)));
        }
    }

    /// Takes in what a tag recorded in a second.
    ///
    /// # Errors
    /// When there is no endpoint or persona of that index.
    pub fn add(
        &mut self,
        window: Window,
        second: u64,
        tag: Tag,
        recorded: &Recorded,
    ) -> Result<(), UnknownTag> {
        let group = match tag.scope {
            Scope::Endpoint(index) => self.endpoints.get_mut(index),
            Scope::Persona(index) => self.personas.get_mut(index),
        };
        let group = group.ok_or(UnknownTag(tag))?;
        for of in self.phases.iter_mut().filter(|of| of.window.contains(second)) {
            of.add(tag, recorded);
        }
        if second < window.start_s {
            return Ok(());
        }
        let in_plateau = second < window.end_s;
        group.add(tag.kind, recorded, in_plateau);
        // Personas hold the same requests as the endpoints.
        if let Scope::Endpoint(_) = tag.scope {
            self.all.add(tag.kind, recorded, in_plateau);
        }
        Ok(())
    }

    /// How many seconds of the window there were, one that is short among them.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// How long what there was of the window is, in seconds: what rates are over.
    pub fn length_s(&self) -> f64 {
        self.length_s
    }

    /// Successes a second within the window.
    pub fn throughput(&self) -> Reading {
        Reading::rate(self.within.ok(), self.length_s)
    }

    /// The fewest users of any second of the window.
    pub fn sustained_users(&self) -> Reading {
        self.fewest_users.map_or(Reading::NONE, Reading::count)
    }

    /// Requests that became ready on the plateau, of those planned for it. More than all where
    /// what came late from the ramp is among them.
    pub fn load_held(&self) -> Reading {
        self.load_held.map_or(Reading::NONE, |held| Reading::share(held.ready, held.planned))
    }

    /// Answers as recorded, of those that were compared: in status and shape, or in status where
    /// shapes were not compared.
    pub fn fidelity(&self) -> Reading {
        let Fidelity { compared, same_status, shapes_compared, same_status_and_shape, .. } =
            self.fidelity;
        if shapes_compared > 0 {
            Reading::share(same_status_and_shape, shapes_compared)
        } else {
            Reading::share(same_status, compared)
        }
    }

    /// Marks that were acknowledged and are not in the database; at least so many where some of the
    /// acknowledged requests have no mark that could be looked for.
    pub fn lost(&self) -> Reading {
        self.audited(|counts| (counts.acknowledged > 0).then_some(counts.lost))
    }

    /// Marks that are in the database more than once; at least so many, as of [`Plateau::lost`].
    pub fn duplicated(&self) -> Reading {
        self.audited(|counts| {
            (counts.acknowledged + counts.failed > 0).then_some(counts.duplicated)
        })
    }

    /// Marks that are in the database and were never acknowledged.
    pub fn unacknowledged(&self) -> Reading {
        self.audited(|counts| {
            counts.unacknowledged.filter(|_| counts.acknowledged + counts.failed > 0)
        })
    }

    /// Nothing where there was no audit.
    fn audited(&self, count: impl FnOnce(&AuditCounts) -> Option<u64>) -> Reading {
        let Some(counts) = &self.audit else { return Reading::NONE };
        let reading = count(counts).map_or(Reading::NONE, Reading::count);
        Reading { at_least: reading.value.is_some() && counts.unmarked > 0, ..reading }
    }

    /// An endpoint, or a persona, by its name.
    pub fn named(&self, name: &str) -> Option<&Group> {
        self.endpoints.iter().chain(&self.personas).find(|group| group.name == name)
    }
}
