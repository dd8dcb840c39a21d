//! DynamoDB's partitions as they are documented, and how hot they get. Pure: numbers in, numbers out. Uses nothing of its neighbours.
//!
//! A partition is a range of the hash of the partition key. The hash is not disclosed; SHA-256 stands in for it, which spreads as
//! evenly. How many partitions a table has is not disclosed either: see [`partitions`].

use ring::digest::{SHA256, digest};

/// Read units a second of one partition, and of one item (DynamoDB developer guide, bp-partition-key-design).
pub(super) const READS: f64 = 3_000.0;
/// Write units a second of one partition, and of one item (as above).
pub(super) const WRITES: f64 = 1_000.0;
/// A partition holds at most this (as above).
const GIGABYTES: f64 = 10.0;
/// A new table on demand takes 4,000 writes and 12,000 reads a second (on-demand-capacity-mode): four partitions' worth.
const AT_FIRST: usize = 4;
/// A table on demand takes twice its earlier peak at once (as above).
const GROWTH: f64 = 2.0;

/// Units a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Load {
    pub(super) read: f64,
    pub(super) write: f64,
}

impl Load {
    pub(super) const fn read(units: f64) -> Self {
        Self { read: units, write: 0.0 }
    }

    pub(super) const fn write(units: f64) -> Self {
        Self { read: 0.0, write: units }
    }

    pub(super) fn times(self, factor: f64) -> Self {
        Self { read: self.read * factor, write: self.write * factor }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { read: self.read + other.read, write: self.write + other.write }
    }

    /// How much of a partition this takes; over 1 is too much. The developer guide lets reads and writes have a limit each, AWS's
    /// knowledge centre "a linear combination of both" (on-demand-table-throttling-dynamodb); this is the second, the stricter.
    pub(super) fn share(self) -> f64 {
        self.read / READS + self.write / WRITES
    }
}

/// Where a key stands among all hashes.
pub(super) fn position(key: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest(&SHA256, key.as_bytes()).as_ref()[..8]);
    u64::from_be_bytes(first)
}

/// How many partitions a table has that has grown to this load: those of a new one, or room for twice the load, or for its size.
pub(super) fn partitions(peak: Load, gigabytes: f64) -> usize {
    let by_load = (GROWTH * peak.share()).ceil() as usize;
    let by_size = (gigabytes / GIGABYTES).ceil() as usize;
    AT_FIRST.max(by_load).max(by_size)
}

/// What a table's keys took in one second.
#[derive(Debug, Default)]
pub(super) struct Heat {
    keys: Vec<(u64, Load)>,
}

/// The hottest of a table in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Hottest {
    pub(super) total: Load,
    pub(super) partition: Load,
    pub(super) key: Load,
    /// The hottest partition if the hottest key had one of its own: what isolation leaves to its neighbours.
    pub(super) others: Load,
}

impl Heat {
    pub(super) fn add(&mut self, key: u64, load: Load) {
        self.keys.push((key, load));
    }

    pub(super) fn total(&self) -> Load {
        self.keys.iter().fold(Load::default(), |sum, (_, load)| sum.plus(*load))
    }

    /// Sums by key and by partition. In the order of the keys, so that it is the same each time.
    pub(super) fn hottest(mut self, partitions: usize) -> Hottest {
        self.keys.sort_unstable_by_key(|(key, _)| *key);
        let total = self.total();
        let mut ranges = vec![Load::default(); partitions];
        let mut hottest = (0, Load::default());
        for group in self.keys.chunk_by(|(one, _), (other, _)| one == other) {
            let load = group.iter().fold(Load::default(), |sum, (_, load)| sum.plus(*load));
            let range = range_of(group[0].0, partitions);
            ranges[range] = ranges[range].plus(load);
            if load.share() > hottest.1.share() {
                hottest = (range, load);
            }
        }
        let (range, key) = hottest;
        let partition = most(&ranges);
        if let Some(left) = ranges.get_mut(range) {
            *left = left.plus(key.times(-1.0));
        }
        Hottest { total, partition, key, others: most(&ranges) }
    }
}

/// The range of all hashes, cut in equal parts, in which this one lies.
fn range_of(position: u64, partitions: usize) -> usize {
    ((u128::from(position) * partitions as u128) >> 64) as usize
}

fn most(ranges: &[Load]) -> Load {
    ranges.iter().copied().max_by(|one, other| one.share().total_cmp(&other.share())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_adds_reads_and_writes() {
        assert_eq!(Load { read: 1_500.0, write: 250.0 }.share(), 0.75);
    }

    #[test]
    fn a_table_grows_by_load_and_by_size() {
        assert_eq!(partitions(Load::default(), 1.0), 4, "a new one");
        assert_eq!(partitions(Load::write(10_000.0), 1.0), 20);
        assert_eq!(partitions(Load::write(10_000.0), 1_000.0), 100);
    }

    #[test]
    fn ranges_are_equal_and_cover_all() {
        assert_eq!((range_of(0, 7), range_of(u64::MAX, 7)), (0, 6));
        let mut counts = [0; 8];
        for number in 0..80_000 {
            counts[range_of(position(&format!("key {number}")), 8)] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_key_over_the_limit_is_found_and_its_neighbours_are_told_apart() {
        let mut heat = Heat::default();
        heat.add(5, Load::write(700.0));
        heat.add(9, Load::write(100.0));
        heat.add(u64::MAX, Load::write(300.0));
        heat.add(5, Load::write(500.0));
        let hottest = heat.hottest(2);
        assert_eq!((hottest.total.write, hottest.partition.write), (1_600.0, 1_300.0));
        assert_eq!((hottest.key.write, hottest.others.write), (1_200.0, 300.0));
        assert!(hottest.key.share() > 1.0 && hottest.others.share() < 1.0);
    }
}
