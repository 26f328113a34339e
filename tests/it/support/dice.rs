//! Chance that is the same in every run.

/// A small generator of numbers (xorshift); what it need not be is unpredictable.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of the numbers before `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 8) as usize % end
    }

    pub fn one_of<'a, T>(&mut self, items: &'a mut [T]) -> Option<&'a mut T> {
        if items.is_empty() {
            None
        } else {
            let index = self.below(items.len());
            items.get_mut(index)
        }
    }
}
