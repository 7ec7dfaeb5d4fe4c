//! When must a busy loop look at its descriptors and timers again?
//!
//! asyncio polls at every turn. A turn that was made of one cheap callback costs
//! less than the system call, so a loop with work at hand polls after 64 turns,
//! or at the first look at the clock that finds 50 µs gone since the last poll.
//! It looks every 32 turns while turns are quick and after every turn while they
//! are slow; so the bound is 50 µs plus one turn, and at most 32 turns at the
//! moment when quick turns become slow.

/// Turns between two polls, at most.
pub const MAX_TURNS: u32 = 64;
/// Nanoseconds of callbacks between two polls, at most.
pub const MAX_NANOSECONDS: u64 = 50_000;
/// Turns between two looks at the clock while turns are quick.
const LOOK_INTERVAL: u32 = 32;
/// A turn this long is slow: with 32 of them the time limit would be passed.
const SLOW_TURN: u64 = MAX_NANOSECONDS / LOOK_INTERVAL as u64;

/// The state between two polls.
pub struct Pacer {
    turns: u32,
    /// As many of them were counted, or are none.
    counted: u32,
    next_look: u32,
    last_look: u32,
    slow: bool,
    /// The clock at the last poll, 0 if nobody looked then.
    polled: u64,
    /// The clock at the last look.
    looked: u64,
}

impl Pacer {
    /// A pacer that asks for a poll at once.
    pub const fn new() -> Self {
        Pacer {
            turns: MAX_TURNS,
            counted: MAX_TURNS,
            next_look: 0,
            last_look: 0,
            slow: true,
            polled: 0,
            looked: 0,
        }
    }

    /// A turn has ended with more to do: is it time to look at the clock?
    #[inline(always)]
    pub fn wants_look(&mut self) -> bool {
        self.turns += 1;
        self.turns >= self.next_look
    }

    /// The loop polls now, because `is_due` said so: its look at the clock was
    /// just before.
    pub fn poll_when_due(&mut self) {
        self.begin(self.looked);
    }

    /// The loop has polled for another reason, and perhaps slept: the clock
    /// will be looked at after the next turn.
    pub fn polled(&mut self) {
        self.begin(0);
        self.next_look = 1;
    }

    fn begin(&mut self, now: u64) {
        self.polled = now;
        self.turns = 0;
        self.counted = 0;
        self.last_look = 0;
        self.next_look = if self.slow { 1 } else { LOOK_INTERVAL };
    }

    /// How many turns `wants_look` has seen and nobody has counted yet.
    pub fn take_turns(&mut self) -> u32 {
        let turns = self.turns - self.counted;
        self.counted = self.turns;
        turns
    }

    /// The clock says `now`: is a poll due before the next turn?
    pub fn is_due(&mut self, now: u64) -> bool {
        if self.polled == 0 {
            self.polled = now;
        } else {
            let turns = u64::from((self.turns - self.last_look).max(1));
            self.slow = now.saturating_sub(self.looked) / turns > SLOW_TURN;
        }
        self.looked = now;
        self.last_look = self.turns;
        let interval = if self.slow { 1 } else { LOOK_INTERVAL };
        self.next_look = (self.turns + interval).min(MAX_TURNS);
        self.turns >= MAX_TURNS || now.saturating_sub(self.polled) >= MAX_NANOSECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns until a poll is due when each turn takes `turn` nanoseconds.
    fn turns_between_polls(pacer: &mut Pacer, now: &mut u64, turn: u64) -> u32 {
        for turns in 1.. {
            *now += turn;
            if pacer.wants_look() && pacer.is_due(*now) {
                pacer.poll_when_due();
                return turns;
            }
        }
        unreachable!()
    }

    #[test]
    fn quick_turns_poll_every_64() {
        let (mut pacer, mut now) = (Pacer::new(), 1);
        turns_between_polls(&mut pacer, &mut now, 10);
        assert_eq!(turns_between_polls(&mut pacer, &mut now, 10), MAX_TURNS);
    }

    #[test]
    fn slow_turns_poll_after_50_microseconds() {
        let (mut pacer, mut now) = (Pacer::new(), 1);
        turns_between_polls(&mut pacer, &mut now, 10_000);
        assert_eq!(turns_between_polls(&mut pacer, &mut now, 10_000), 5);
        assert_eq!(turns_between_polls(&mut pacer, &mut now, 60_000), 1);
    }

    #[test]
    fn a_sleep_between_polls_does_not_count_as_a_slow_turn() {
        let (mut pacer, mut now) = (Pacer::new(), 1);
        turns_between_polls(&mut pacer, &mut now, 10);
        turns_between_polls(&mut pacer, &mut now, 10);
        now += 1_000_000_000;
        pacer.polled();
        assert!(turns_between_polls(&mut pacer, &mut now, 10) >= MAX_TURNS);
    }

    #[test]
    fn a_change_from_quick_to_slow_is_found_within_32_turns() {
        let (mut pacer, mut now) = (Pacer::new(), 1);
        turns_between_polls(&mut pacer, &mut now, 10);
        turns_between_polls(&mut pacer, &mut now, 10);
        assert!(turns_between_polls(&mut pacer, &mut now, 1_000_000) <= 33);
        assert_eq!(turns_between_polls(&mut pacer, &mut now, 1_000_000), 1);
    }
}
