use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, make_array};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, Schema};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Keys of fixed-width columns, packed into so many words, an even number. A look-up compares the words themselves, and so touches
/// one place in memory.
#[derive(Debug)]
pub(crate) struct NarrowKeys<const WORDS: usize> {
    columns: Vec<Packed>,
    table: HashTable<(Key<WORDS>, u32)>,
    /// The key of each slot.
    keys: Vec<Key<WORDS>>,
    free: Vec<u32>,
}

/// Where a column lies in a key.
#[derive(Debug)]
struct Packed {
    data_type: DataType,
    /// Bytes of a value.
    width: usize,
    word: usize,
    shift: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key<const WORDS: usize> {
    words: [u64; WORDS],
    /// One bit per column that is NULL; its value is then 0.
    nulls: u64,
}

impl<const WORDS: usize> Key<WORDS> {
    const ZERO: Self = Key { words: [0; WORDS], nulls: 0 };

    /// Folded multiplication, as in wyhash.
    #[inline]
    fn hash(&self) -> u64 {
        self.words.chunks_exact(2).fold(self.nulls.rotate_left(32), |hash, pair| {
            let left = pair[0] ^ 0x9e37_79b9_7f4a_7c15;
            let right = pair[1] ^ hash ^ 0xd6e8_feb8_6659_fd93;
            let product = u128::from(left) * u128::from(right);
            let folded = (product as u64) ^ ((product >> 64) as u64);
            folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (folded >> 29)
        })
    }
}

impl<const WORDS: usize> NarrowKeys<WORDS> {
    /// An empty table, if keys of this schema are that narrow.
    pub(crate) fn new(schema: &Schema) -> Option<NarrowKeys<WORDS>> {
        let mut used = [0; WORDS];
        let columns = schema.fields().iter().map(|field| {
            let width = width(field.data_type())?;
            let word = (0..WORDS).find(|word| used[*word] + width <= 8)?;
            let shift = 8 * used[word] as u32;
            used[word] += width;
            Some(Packed { data_type: field.data_type().clone(), width, word, shift })
        });
        let columns = columns.collect::<Option<Vec<_>>>()?;
        Some(NarrowKeys { columns, table: HashTable::new(), keys: Vec::new(), free: Vec::new() })
    }

    pub(crate) fn slots(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len() - self.free.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        let keys = self.keys.capacity() * size_of::<Key<WORDS>>() + 4 * self.free.capacity();
        self.table.allocation_size() + keys
    }

    pub(crate) fn intern(&mut self, rows: &arrow::array::RecordBatch) -> Vec<u32> {
        let keys = self.pack(rows.columns(), rows.num_rows());
        let slots = keys.into_iter().map(|key| {
            match self.table.entry(key.hash(), |(other, _)| *other == key, |(other, _)| other.hash()) {
                Entry::Occupied(entry) => entry.get().1,
                Entry::Vacant(entry) => {
                    let slot = match self.free.pop() {
                        Some(slot) => {
                            self.keys[slot as usize] = key;
                            slot
                        }
                        None => {
                            self.keys.push(key);
                            self.keys.len() as u32 - 1
                        }
                    };
                    entry.insert((key, slot));
                    slot
                }
            }
        });
        slots.collect()
    }

    /// Slots below [`slots`](Self::slots) without a key.
    pub(crate) fn free(&self) -> &[u32] {
        &self.free
    }

    pub(crate) fn find(&self, rows: &arrow::array::RecordBatch) -> Vec<Option<u32>> {
        let keys = self.pack(rows.columns(), rows.num_rows());
        let slot =
            |key: &Key<WORDS>| self.table.find(key.hash(), |(other, _)| other == key).map(|(_, slot)| *slot);
        keys.iter().map(slot).collect()
    }

    fn pack(&self, columns: &[ArrayRef], rows: usize) -> Vec<Key<WORDS>> {
        let mut keys = vec![Key::ZERO; rows];
        for (position, (column, packed)) in columns.iter().zip(&self.columns).enumerate() {
            let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
            for (row, (key, value)) in keys.iter_mut().zip(packed.values(column)).enumerate() {
                if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                    key.nulls |= 1 << position;
                } else {
                    key.words[packed.word] |= value << packed.shift;
                }
            }
        }
        keys
    }

    pub(crate) fn gather(&self, columns: &[usize], slots: &[u32]) -> Vec<ArrayRef> {
        columns.iter().map(|column| self.column(*column, slots)).collect()
    }

    fn column(&self, position: usize, slots: &[u32]) -> ArrayRef {
        let packed = &self.columns[position];
        let keys = slots.iter().map(|slot| &self.keys[*slot as usize]);
        let valid = keys.clone().map(|key| key.nulls & (1 << position) == 0);
        let nulls = Some(NullBuffer::from_iter(valid)).filter(|nulls| nulls.null_count() > 0);
        packed.column(keys.map(|key| key.words[packed.word] >> packed.shift), slots.len(), nulls)
    }

    pub(crate) fn release(&mut self, slots: &[u32]) {
        for slot in slots {
            let key = self.keys[*slot as usize];
            if let Ok(entry) = self.table.find_entry(key.hash(), |(other, _)| *other == key) {
                entry.remove();
                self.free.push(*slot);
            }
        }
    }
}

/// Bytes of a value, of types whose values are equal if and only if their bits are.
fn width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Boolean => Some(1),
        data_type if data_type.is_integer() => data_type.primitive_width(),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => data_type.primitive_width(),
        DataType::Time32(_) | DataType::Time64(_) => data_type.primitive_width(),
        _ => None,
    }
}

impl Packed {
    /// The bits of each value.
    fn values(&self, column: &ArrayRef) -> Vec<u64> {
        fn bits<T: ArrowNativeType>(column: &ArrayRef, bits: impl Fn(T) -> u64) -> Vec<u64> {
            let data = column.to_data();
            let values = ScalarBuffer::<T>::new(data.buffers()[0].clone(), data.offset(), data.len());
            values.iter().map(|value| bits(*value)).collect()
        }
        match (&self.data_type, self.width) {
            (DataType::Boolean, _) => column.as_boolean().values().iter().map(u64::from).collect(),
            (_, 1) => bits::<u8>(column, u64::from),
            (_, 2) => bits::<u16>(column, u64::from),
            (_, 4) => bits::<u32>(column, u64::from),
            _ => bits::<u64>(column, |value| value),
        }
    }

    /// The column of values with these bits, and perhaps others further up.
    fn column(&self, bits: impl Iterator<Item = u64>, rows: usize, nulls: Option<NullBuffer>) -> ArrayRef {
        let values = match (&self.data_type, self.width) {
            (DataType::Boolean, _) => {
                return Arc::new(BooleanArray::new(
                    bits.map(|bits| bits & 1 == 1).collect::<Vec<_>>().into(),
                    nulls,
                ));
            }
            (_, 1) => Buffer::from_vec(bits.map(|bits| bits as u8).collect::<Vec<_>>()),
            (_, 2) => Buffer::from_vec(bits.map(|bits| bits as u16).collect::<Vec<_>>()),
            (_, 4) => Buffer::from_vec(bits.map(|bits| bits as u32).collect::<Vec<_>>()),
            _ => Buffer::from_vec(bits.collect::<Vec<_>>()),
        };
        let data = ArrayData::builder(self.data_type.clone()).len(rows).add_buffer(values).nulls(nulls);
        make_array(data.build().expect("one value of the type's width per row"))
    }
}
