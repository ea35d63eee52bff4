//! Wakes tasks at points in time, exactly and cheaply.
//!
//! One pacer a worker thread: a heap of deadlines and one timer. On Linux the
//! timer is a timerfd watched by the runtime, since the runtime's own timer
//! has a resolution of a millisecond. After each wake-up the timer rests, so
//! that everything due in that window goes out together: to be woken costs
//! several times as much as to send a request.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use crate::time::{At, Clock};

/// The least time between two wake-ups: what it adds to the generator's lag, at most.
const REST: Duration = Duration::from_micros(250);

/// The same after a wake-up for [`MANY`] or more.
const LONG_REST: Duration = Duration::from_micros(500);
const MANY: usize = 8;

pub struct Pacer {
    clock: Clock,
    timer: timer::Timer,
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Deadline and slot; ties are woken in the order of their slots.
    heap: BinaryHeap<Reverse<(At, usize)>>,
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// What the timer is set to.
    armed: Option<At>,
    /// Until when no wake-up is wanted.
    rests: Option<At>,
}

enum Slot {
    Free,
    Waiting(Waker),
    Fired,
    /// The sleeper was dropped; the heap still names the slot.
    Abandoned,
}

impl Pacer {
    /// A pacer on the real clock.
    ///
    /// # Errors
    /// When the system gives no timer (out of descriptors).
    pub fn new(clock: Clock) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self { clock, timer: timer::Timer::new()?, queue: RefCell::default() }))
    }

    /// A pacer on the runtime's clock, which tests can pause.
    pub fn on_runtime_clock(clock: Clock) -> Rc<Self> {
        Rc::new(Self { clock, timer: timer::Timer::of_runtime(), queue: RefCell::default() })
    }

    /// Completes at `deadline`, at once if that has passed, or when [`Pacer::wake_all`] is called.
    pub fn until(&self, deadline: At) -> Sleep<'_> {
        Sleep { pacer: self, deadline, slot: None }
    }

    /// Wakes every sleeper, whatever its deadline.
    pub fn wake_all(&self) {
        let queue = &mut *self.queue.borrow_mut();
        queue.heap.clear();
        for index in 0..queue.slots.len() {
            match std::mem::replace(&mut queue.slots[index], Slot::Fired) {
                Slot::Waiting(waker) => waker.wake(),
                Slot::Fired => {}
                Slot::Free => queue.slots[index] = Slot::Free,
                Slot::Abandoned => {
                    queue.slots[index] = Slot::Free;
                    queue.free.push(index);
                }
            }
        }
    }

    /// Serves the sleepers; runs until it is dropped.
    ///
    /// # Errors
    /// When the timer fails.
    pub async fn run(&self) -> io::Result<()> {
        loop {
            self.timer.expired(&self.clock).await?;
            let now = self.clock.now();
            let next = {
                let queue = &mut *self.queue.borrow_mut();
                queue.armed = None;
                let rest = if queue.wake_due(now) < MANY { REST } else { LONG_REST };
                queue.rests = Some(now + rest);
                queue.next_wake()
            };
            if let Some(next) = next {
                self.arm(next)?;
            }
        }
    }

    fn arm(&self, at: At) -> io::Result<()> {
        self.timer.set(at.since(self.clock.now()), self.clock.instant(at))?;
        self.queue.borrow_mut().armed = Some(at);
        Ok(())
    }
}

impl Queue {
    /// Returns how many it woke.
    fn wake_due(&mut self, now: At) -> usize {
        let mut woken = 0;
        while let Some(&Reverse((deadline, slot))) = self.heap.peek() {
            if deadline > now {
                break;
            }
            self.heap.pop();
            match std::mem::replace(&mut self.slots[slot], Slot::Fired) {
                Slot::Waiting(waker) => {
                    waker.wake();
                    woken += 1;
                }
                _ => self.release(slot),
            }
        }
        woken
    }

    fn next_wake(&self) -> Option<At> {
        let Reverse((deadline, _)) = self.heap.peek()?;
        Some(self.rests.map_or(*deadline, |until| until.max(*deadline)))
    }

    fn insert(&mut self, deadline: At, waker: Waker) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::Free);
            self.slots.len() - 1
        });
        self.slots[slot] = Slot::Waiting(waker);
        self.heap.push(Reverse((deadline, slot)));
        slot
    }

    fn release(&mut self, slot: usize) {
        self.slots[slot] = Slot::Free;
        self.free.push(slot);
    }
}

/// A wait until a point in time.
pub struct Sleep<'a> {
    pacer: &'a Pacer,
    deadline: At,
    slot: Option<usize>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let pacer = self.pacer;
        if let Some(slot) = self.slot {
            let queue = &mut *pacer.queue.borrow_mut();
            if let Slot::Waiting(waker) = &mut queue.slots[slot] {
                waker.clone_from(context.waker());
                return Poll::Pending;
            }
            queue.release(slot);
            self.slot = None;
            return Poll::Ready(());
        }
        if pacer.clock.now() >= self.deadline {
            return Poll::Ready(());
        }
        let (slot, wake) = {
            let queue = &mut *pacer.queue.borrow_mut();
            let slot = queue.insert(self.deadline, context.waker().clone());
            (slot, queue.next_wake().filter(|next| queue.armed.is_none_or(|armed| *next < armed)))
        };
        self.slot = Some(slot);
        // A timer that cannot be set is reported by `run`, which owns the failure.
        if let Some(wake) = wake {
            drop(pacer.arm(wake));
        }
        Poll::Pending
    }
}

/// A deadline that is put off over and over and hardly ever reached, as the one of each exchange
/// on a connection: it is registered with the pacer anew only once the deadline before has
/// passed. If it is dropped earlier, its place in the pacer is kept until then.
pub struct Alarm<'a> {
    pacer: &'a Pacer,
    sleep: Option<Sleep<'a>>,
}

impl<'a> Alarm<'a> {
    pub fn of(pacer: &'a Pacer) -> Self {
        Self { pacer, sleep: None }
    }

    /// Ready once `deadline` has passed. Whoever is woken by it and finds it pending was woken by
    /// an earlier deadline, or by [`Pacer::wake_all`].
    pub fn poll_at(&mut self, deadline: At, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let earlier = self.sleep.take().filter(|sleep| sleep.deadline <= deadline);
            let sleep = self.sleep.insert(earlier.unwrap_or_else(|| self.pacer.until(deadline)));
            ready!(Pin::new(&mut *sleep).poll(context));
            self.sleep = None;
            if self.pacer.clock.now() >= deadline {
                return Poll::Ready(());
            }
        }
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            let queue = &mut *self.pacer.queue.borrow_mut();
            match queue.slots[slot] {
                // The heap still holds the slot, and frees it when it comes up.
                Slot::Waiting(_) => queue.slots[slot] = Slot::Abandoned,
                _ => queue.release(slot),
            }
        }
    }
}

mod timer {
    use std::cell::Cell;
    use std::io;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::Instant;

    use crate::time::Clock;

    pub(super) enum Timer {
        #[cfg(target_os = "linux")]
        Fd(linux::TimerFd),
        Runtime {
            at: Cell<Option<Instant>>,
            changed: Notify,
        },
    }

    impl Timer {
        #[cfg(target_os = "linux")]
        pub(super) fn new() -> io::Result<Self> {
            linux::TimerFd::new().map(Self::Fd)
        }

        #[cfg(not(target_os = "linux"))]
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self::of_runtime())
        }

        pub(super) fn of_runtime() -> Self {
            Self::Runtime { at: Cell::new(None), changed: Notify::new() }
        }

        pub(super) fn set(&self, from_now: Duration, at: Instant) -> io::Result<()> {
            match self {
                #[cfg(target_os = "linux")]
                Self::Fd(fd) => fd.set(from_now),
                Self::Runtime { at: cell, changed } => {
                    cell.set(Some(at));
                    changed.notify_one();
                    Ok(())
                }
            }
        }

        pub(super) async fn expired(&self, _clock: &Clock) -> io::Result<()> {
            match self {
                #[cfg(target_os = "linux")]
                Self::Fd(fd) => fd.expired().await,
                Self::Runtime { at, changed } => loop {
                    match at.get() {
                        None => changed.notified().await,
                        Some(instant) => tokio::select! {
                            () = tokio::time::sleep_until(instant) => {
                                at.set(None);
                                return Ok(());
                            }
                            () = changed.notified() => {}
                        },
                    }
                },
            }
        }
    }

    #[cfg(target_os = "linux")]
    mod linux {
        use std::io;
        use std::os::fd::OwnedFd;
        use std::time::Duration;

        use rustix::time::{
            Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
            timerfd_settime,
        };
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        pub(in super::super) struct TimerFd(AsyncFd<OwnedFd>);

        impl TimerFd {
            pub(super) fn new() -> io::Result<Self> {
                let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
                let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
                // SAFETY: an OwnedFd is valid and open for as long as it lives, is always the
                // same descriptor, and the AsyncFd owns it.
                #[expect(unsafe_code, reason = "the runtime has no safe way to watch a timerfd")]
                let watched = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
                Ok(Self(watched?))
            }

            pub(super) fn set(&self, from_now: Duration) -> io::Result<()> {
                // Zero would disarm it.
                let from_now = from_now.max(Duration::from_nanos(1));
                let value = Timespec {
                    tv_sec: i64::try_from(from_now.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: i64::from(from_now.subsec_nanos()),
                };
                let once =
                    Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
                timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
                Ok(())
            }

            /// The runtime hears of each expiry once; what `set` forgets needs no read.
            pub(super) async fn expired(&self) -> io::Result<()> {
                self.0.readable().await?.clear_ready();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::task::LocalSet;
    use tokio::time::Instant;

    use super::*;

    /// Sleeps until each of the deadlines, in microseconds, and notes who woke when.
    async fn wake_times(pacer: Rc<Pacer>, clock: Clock, deadlines: &[i64]) -> Vec<(i64, i64)> {
        let woken = Rc::new(RefCell::new(Vec::new()));
        let tasks = LocalSet::new();
        for &deadline in deadlines {
            let (pacer, woken) = (Rc::clone(&pacer), Rc::clone(&woken));
            tasks.spawn_local(async move {
                pacer.until(At::from_nanos(deadline * 1000)).await;
                woken.borrow_mut().push((deadline, clock.now().nanos() / 1000));
            });
        }
        tokio::select! {
            () = tasks => {}
            result = pacer.run() => panic!("{result:?}"),
        }
        woken.take()
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_is_woken_in_order_and_never_early() {
        let clock = Clock::starting(Instant::now());
        let pacer = Pacer::on_runtime_clock(clock);
        let woken = wake_times(pacer, clock, &[9_000, 1_000, 5_000, 5_000, 0]).await;
        let order: Vec<i64> = woken.iter().map(|(deadline, _)| *deadline).collect();
        assert_eq!(order, [0, 1_000, 5_000, 5_000, 9_000]);
        assert!(woken.iter().all(|(deadline, at)| at >= deadline), "{woken:?}");
    }

    #[tokio::test]
    async fn the_real_timer_wakes_nobody_early() {
        let clock = Clock::starting(Instant::now());
        let pacer = Pacer::new(clock).unwrap();
        let deadlines: Vec<i64> = (0..200).map(|i| (i * 7919) % 20_000).collect();
        let woken = wake_times(pacer, clock, &deadlines).await;
        assert_eq!(woken.len(), 200);
        assert!(woken.iter().all(|(deadline, at)| at >= deadline), "{woken:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_wakes_those_who_have_long_to_wait_and_dropped_sleepers_leave_no_trace() {
        let clock = Clock::starting(Instant::now());
        let pacer = Pacer::on_runtime_clock(clock);
        for _ in 0..10 {
            let dropped = pacer.until(At::from_nanos(50_000_000));
            assert!(futures_poll_once(dropped).is_none());
        }
        let tasks = LocalSet::new();
        let sleeper = Rc::clone(&pacer);
        let sleep = tasks.spawn_local(async move { sleeper.until(At::NEVER).await });
        let caller = Rc::clone(&pacer);
        tasks.spawn_local(async move {
            caller.until(At::from_nanos(100_000_000)).await;
            caller.wake_all();
        });
        tokio::select! {
            () = tasks => {}
            result = pacer.run() => panic!("{result:?}"),
        }
        assert!(sleep.is_finished());
        let queue = pacer.queue.borrow();
        assert_eq!(queue.free.len(), queue.slots.len());
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_is_put_off_goes_off_at_the_last_of_its_deadlines_and_never_before() {
        let clock = Clock::starting(Instant::now());
        let pacer = Pacer::on_runtime_clock(clock);
        let millis = |at: i64| At::from_nanos(at * 1_000_000);
        let check = async {
            let mut alarm = Alarm::of(&pacer);
            let mut look_at = |deadline| {
                let poll = alarm.poll_at(millis(deadline), &mut Context::from_waker(Waker::noop()));
                poll.is_ready()
            };
            // Exchange after exchange, none of which takes long.
            for begun in 0..100 {
                pacer.until(millis(begun)).await;
                assert!(!look_at(begun + 60));
            }
            // An exchange that ends sooner, and then one that does not end.
            assert!(!look_at(110));
            pacer.until(millis(111)).await;
            assert!(look_at(110));
            assert!(!look_at(171));
            std::future::poll_fn(|context| alarm.poll_at(millis(171), context)).await;
            assert!(clock.now() >= millis(171));
        };
        tokio::select! {
            () = check => {}
            result = pacer.run() => panic!("{result:?}"),
        }
        // Of a hundred deadlines two or three were registered at a time.
        assert!(pacer.queue.borrow().slots.len() < 8);
    }

    fn futures_poll_once<F: Future>(future: F) -> Option<F::Output> {
        let mut future = Box::pin(future);
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}
