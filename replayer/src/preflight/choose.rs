//! What a preflight sends of a session.
//!
//! It must not change what the run that follows it meets: a user that it registered cannot
//! register any more. So it sends no value that is made for the purpose, and of what writes, the
//! login alone.

use std::collections::HashSet;
use std::sync::Arc;

use redact::is_secret_field;

use crate::prepare::{
    Bindings, Body, LeftOut, Origin, Prepared, Request, Session, Source, Wait, link, number,
};

/// How much a preflight may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// What changes nothing: logins with an account's credentials, and GET and HEAD that need
    /// nothing else.
    #[default]
    Safe,
    /// All of the session.
    Full,
}

/// A plan of one session, and which endpoints' requests are not in it.
pub(super) struct Chosen {
    pub(super) plan: Prepared,
    pub(super) not_tried: Vec<usize>,
    /// Whether what logs its user in is in the plan; none where nothing does.
    pub(super) has_login: Option<bool>,
}

/// What is sent of a persona's first session; none where it has none.
pub(super) fn first_session(plan: &Prepared, persona: usize, extent: Extent) -> Option<Chosen> {
    let session = &plan.sessions[*plan.personas[persona].sessions.first()?];
    let requests = session.body.begin()?;
    let tried = match extent {
        Extent::Safe => safe(&requests, session.prologue),
        Extent::Full => vec![true; requests.len()],
    };
    let of = |is_tried: bool| {
        let pairs = requests.iter().enumerate().zip(&tried);
        pairs.filter(move |(_, tried)| **tried == is_tried).map(|(request, _)| request)
    };
    let not_tried = of(false).map(|(_, request)| request.endpoint).collect();
    let has_login = (session.prologue > 0).then(|| match login_of(&requests, session.prologue) {
        Some(login) => tried[login],
        None => tried[..session.prologue].iter().all(|is_tried| *is_tried),
    });
    let chosen: Vec<(usize, &Request)> = of(true).collect();
    let prologue = chosen.iter().filter(|(index, _)| *index < session.prologue).count();
    let mut kept: Vec<Request> = chosen.iter().map(|(_, request)| (*request).clone()).collect();
    for (index, request) in kept.iter_mut().enumerate() {
        request.waits = waits(index, prologue);
    }
    link(&mut kept);
    let session = Session {
        name: session.name.clone(),
        prologue,
        offsets: chosen.iter().map(|(index, _)| session.offsets[*index]).collect(),
        body: Body::Held(kept.into()),
        gives: session.gives.clone(),
        needs: session.needs.clone(),
        refresh: session.refresh.filter(|_| extent == Extent::Full),
        width: 1,
        ..*session
    };
    let mut personas = plan.personas.clone();
    personas[persona].sessions = vec![0];
    let plan = Prepared {
        file: plan.file.clone(),
        manifest: plan.manifest.clone(),
        endpoints: plan.endpoints.clone(),
        personas,
        sessions: vec![session],
        // Shapes are compared by a run alone.
        shapes: Vec::new(),
        bindings: Bindings::default(),
        left_out: LeftOut::default(),
        rewrites: Vec::new(),
        recorded_failures: None,
    };
    Some(Chosen { plan, not_tried, has_login })
}

/// One after another, whatever the plan was prepared for: a failure is then the cause of those that
/// follow it. What follows the prologue waits for all of it anyway.
fn waits(index: usize, prologue: usize) -> Box<[Wait]> {
    let is_first = index == 0 || index == prologue;
    let before = (!is_first).then(|| Wait { request: number(index - 1), thinks: true });
    before.into_iter().collect()
}

/// The login among the requests of a prologue: whoever registers may do so with the account that he
/// then logs in with.
fn login_of(requests: &[Request], prologue: usize) -> Option<usize> {
    requests[..prologue].iter().rposition(has_credentials)
}

/// Which of a session's requests change nothing, as far as can be told.
fn safe(requests: &Arc<[Request]>, prologue: usize) -> Vec<bool> {
    let login = login_of(requests, prologue);
    let mut given: HashSet<Source> = HashSet::new();
    let tried = requests.iter().enumerate().map(|(index, request)| {
        let is_known = |origin: &Origin| match origin {
            Origin::Captured(source) => given.contains(source),
            Origin::Fresh { .. } => false,
            // Without it the whole is asked for.
            Origin::EntityTag(_) => true,
            Origin::Account(_) | Origin::Clock(_) | Origin::Secret(_) => true,
        };
        let is_harmless = request.is_safe || login == Some(index);
        let is_tried = is_harmless && request.template.origins().all(is_known);
        if is_tried {
            given.extend(request.captures.iter().map(|capture| capture.into));
        }
        is_tried
    });
    tried.collect()
}

/// Whether it writes, and proves by a secret of the account whose it is.
fn has_credentials(request: &Request) -> bool {
    let is_secret = |origin: &Origin| match origin {
        Origin::Account(field) => is_secret_field(field),
        _ => false,
    };
    !request.is_safe && request.template.origins().any(is_secret)
}
