//! How an automaton over digits is followed. All automata are in one array of numbers, written by `phone-number-generator`, which needs neither
//! decoding nor relocation.
//!
//! An entry is the position of a node in the array or, with [`DECIDED`], an outcome that no further digit changes. A node is
//!
//! 1. the outcome of a text that ends at it,
//! 2. a number with a bit for each digit whose entry is not that of the digit before (always for 0),
//! 3. those entries, one for each bit.

use crate::tables::AUTOMATA;

/// Marks an entry that is an outcome and not the position of a node.
const DECIDED: u16 = 1 << 15;

/// The outcome of a text of ASCII digits.
pub(super) fn outcome(start: u16, digits: &str) -> u16 {
    let mut entry = start;
    for digit in digits.bytes() {
        if entry & DECIDED != 0 {
            break;
        }
        let node = usize::from(entry);
        let up_to_digit = (2 << (digit - b'0')) - 1;
        let entries = (AUTOMATA[node + 1] & up_to_digit).count_ones() as usize;
        entry = AUTOMATA[node + 1 + entries];
    }
    if entry & DECIDED == 0 { AUTOMATA[usize::from(entry)] } else { entry & !DECIDED }
}
