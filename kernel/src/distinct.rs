//! Whether the seeds of a session are distinct.

#![forbid(unsafe_code)]

/// A hash table whose memory is used for one session after another.
#[derive(Default)]
pub struct DistinctCheck {
    slots: Vec<u64>,
}

/// Slots that are tried per seed on average; chosen seeds could otherwise all collide.
const PROBES: usize = 16;

impl DistinctCheck {
    /// Whether all seeds are certainly distinct and not 0.
    pub fn are_distinct(&mut self, seeds: &[u64]) -> bool {
        let size = (seeds.len() * 2).next_power_of_two().max(16);
        self.slots.clear();
        self.slots.resize(size, 0);
        let shift = 64 - size.trailing_zeros();
        let mut probes = seeds.len() * PROBES + 1024;
        for &seed in seeds {
            if seed == 0 {
                return false;
            }
            let mut slot = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize;
            loop {
                let held = self.slots[slot];
                if held == 0 {
                    self.slots[slot] = seed;
                    break;
                }
                probes -= 1;
                if held == seed || probes == 0 {
                    return false;
                }
                slot = (slot + 1) & (size - 1);
            }
        }
        true
    }
}
