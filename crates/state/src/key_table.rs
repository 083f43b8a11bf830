use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};

use crate::narrow_keys::NarrowKeys;
use crate::wide_keys::WideKeys;

/// Gives each distinct key a small number, its slot: the groups of GROUP BY, the rows of DISTINCT. Slots
/// index vectors of whatever is kept per key; a released slot is given to a later key. O(1) per key.
#[derive(Debug)]
pub struct KeyTable {
    schema: SchemaRef,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    /// Of integers and the like, two words in all.
    Two(NarrowKeys<2>),
    /// The same, four words in all.
    Four(NarrowKeys<4>),
    Wide(Box<WideKeys>),
}

/// Calls a method of whichever kind of keys there is.
macro_rules! keys {
    ($keys:expr, $name:ident => $call:expr) => {
        match $keys {
            Keys::Two($name) => $call,
            Keys::Four($name) => $call,
            Keys::Wide($name) => $call,
        }
    };
}

/// Whether rows of this schema fit into a few words, so that looking one up costs little.
pub fn is_narrow(schema: &Schema) -> bool {
    NarrowKeys::<4>::new(schema).is_some()
}

impl KeyTable {
    /// An empty table of keys of this schema.
    pub fn new(schema: SchemaRef) -> KeyTable {
        let two = NarrowKeys::new(&schema).map(Keys::Two);
        let keys = two.or_else(|| NarrowKeys::new(&schema).map(Keys::Four));
        let keys = keys.unwrap_or_else(|| Keys::Wide(Box::new(WideKeys::new(schema.clone()))));
        KeyTable { schema, keys }
    }

    /// The schema of the keys.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// One more than the greatest slot ever given.
    pub fn slots(&self) -> usize {
        keys!(&self.keys, keys => keys.slots())
    }

    /// Keys that have a slot now.
    pub fn len(&self) -> usize {
        keys!(&self.keys, keys => keys.len())
    }

    /// Whether no key has a slot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        keys!(&self.keys, keys => keys.bytes())
    }

    /// The slot of each key; keys not seen before get one.
    pub fn intern(&mut self, keys: &RecordBatch) -> Vec<u32> {
        keys!(&mut self.keys, table => table.intern(keys))
    }

    /// The slot of each key that has one.
    pub fn find(&self, keys: &RecordBatch) -> Vec<Option<u32>> {
        keys!(&self.keys, table => table.find(keys))
    }

    /// The given columns of the keys of the given slots.
    pub fn gather(&self, columns: &[usize], slots: &[u32]) -> Vec<ArrayRef> {
        keys!(&self.keys, keys => keys.gather(columns, slots))
    }

    /// Whole keys of the given slots.
    pub fn keys(&self, slots: &[u32]) -> RecordBatch {
        let columns = self.gather(&(0..self.schema.fields().len()).collect::<Vec<_>>(), slots);
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(slots.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("gathered columns have the schema's types")
    }

    /// The slots that have a key, ascending.
    pub fn live(&self) -> Vec<u32> {
        let mut free = keys!(&self.keys, keys => keys.free()).to_vec();
        free.sort_unstable();
        let mut free = free.into_iter().peekable();
        (0..self.slots() as u32).filter(|slot| free.next_if_eq(slot).is_none()).collect()
    }

    /// Forgets the keys of these slots, each named once.
    pub fn release(&mut self, slots: &[u32]) {
        keys!(&mut self.keys, keys => keys.release(slots));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BooleanArray, Date32Array, Int64Array, StringArray};
    use std::collections::HashMap;
    use std::sync::Arc;

    fn narrow(keys: &[Option<i64>]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
        let days = keys.iter().map(|key| key.map(|key| -(key as i32)));
        let flags = keys.iter().map(|key| Some(key.is_some_and(|key| key % 2 == 0)));
        let days: ArrayRef = Arc::new(days.collect::<Date32Array>());
        let flags: ArrayRef = Arc::new(flags.collect::<BooleanArray>());
        RecordBatch::try_from_iter_with_nullable([("k", column, true), ("d", days, true), ("b", flags, true)])
            .unwrap()
    }

    fn broad(keys: &[Option<i64>]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
        RecordBatch::try_from_iter_with_nullable(["a", "b", "c"].map(|name| (name, column.clone(), true)))
            .unwrap()
    }

    fn wide(keys: &[Option<i64>]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
        let texts: ArrayRef =
            Arc::new(keys.iter().map(|key| key.map(|key| key.to_string())).collect::<StringArray>());
        RecordBatch::try_from_iter_with_nullable([("k", column, true), ("t", texts, true)]).unwrap()
    }

    #[test]
    fn slots_are_dense_stable_and_reused() {
        check(narrow);
        check(broad);
        check(wide);
    }

    fn check(batch: fn(&[Option<i64>]) -> RecordBatch) {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut table = KeyTable::new(batch(&[]).schema());
        let mut expect: HashMap<Option<i64>, u32> = HashMap::new();
        for _ in 0..300 {
            let mut key = || (random.u8(..) > 3).then(|| random.i64(0..2000));
            let keys = (0..20).map(|_| key()).collect::<Vec<_>>();
            let found = table.find(&batch(&keys));
            let known = keys.iter().map(|key| expect.get(key).copied()).collect::<Vec<_>>();
            assert_eq!(found, known, "seed {seed}");
            for (key, slot) in keys.iter().zip(table.intern(&batch(&keys))) {
                assert_eq!(*expect.entry(*key).or_insert(slot), slot, "seed {seed}");
            }
            let gone = expect.keys().copied().filter(|_| random.u8(..) < 40).collect::<Vec<_>>();
            let slots = gone.iter().map(|key| expect.remove(key).unwrap()).collect::<Vec<_>>();
            table.release(&slots);
            assert_eq!(table.len(), expect.len(), "seed {seed}");
            let (keys, slots): (Vec<_>, Vec<_>) = expect.iter().map(|(key, slot)| (*key, *slot)).unzip();
            assert_eq!(table.keys(&slots), batch(&keys), "seed {seed}");
        }
        assert!(table.slots() < 1000, "seed {seed}: {} slots", table.slots());
    }
}
