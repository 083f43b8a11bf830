//! Relations and indexed Z-sets against naive multisets, over random histories.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use springtide_state::{Cursor, IndexedZSet, Relation, consolidate};
use springtide_types::{ErrorDelta, SqlError, SqlState, ZBatch};

type Row = (Option<i64>, Option<String>, Option<u64>);
type Multiset = BTreeMap<Row, i64>;

fn random_row(random: &mut fastrand::Rng, keys: i64) -> Row {
    let key = (random.u8(..) > 10).then(|| random.i64(0..keys));
    let text = (random.u8(..) > 40).then(|| "abc"[..random.usize(0..3)].to_owned());
    let float = random.choice([Some(0.0), Some(1.5), Some(f64::NAN), None]).unwrap();
    (key, text, float.map(f64::to_bits))
}

/// The rows, with zeros and NaNs in random forms.
fn batch(random: &mut fastrand::Rng, rows: &[(Row, i64)]) -> ZBatch {
    let keys: ArrayRef = Arc::new(rows.iter().map(|((key, _, _), _)| *key).collect::<Int64Array>());
    let texts: ArrayRef =
        Arc::new(rows.iter().map(|((_, text, _), _)| text.as_deref()).collect::<StringArray>());
    let mut form = |bits: u64| {
        let value = f64::from_bits(bits);
        if (value == 0.0 || value.is_nan()) && random.bool() { -value } else { value }
    };
    let floats = rows.iter().map(|((_, _, float), _)| float.map(&mut form)).collect::<Float64Array>();
    let floats: ArrayRef = Arc::new(floats);
    let columns = [("k", keys, true), ("t", texts, true), ("f", floats, true)];
    let weights = rows.iter().map(|(_, weight)| *weight).collect::<Vec<_>>();
    ZBatch::new(RecordBatch::try_from_iter_with_nullable(columns).unwrap(), weights.into())
}

fn rows_of(rows: &RecordBatch) -> Vec<Row> {
    let keys = rows.column(0).as_primitive::<Int64Type>();
    let texts = rows.column(1).as_string::<i32>();
    let floats = rows.column(2).as_primitive::<Float64Type>();
    let normal = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 }.to_bits();
    let columns = keys.iter().zip(texts).zip(floats);
    columns.map(|((key, text), float)| (key, text.map(str::to_owned), float.map(normal))).collect()
}

fn multiset<'a>(batches: impl IntoIterator<Item = &'a ZBatch>) -> Multiset {
    let mut found = Multiset::new();
    for batch in batches {
        for (row, weight) in rows_of(batch.rows()).into_iter().zip(batch.weights().values()) {
            add(&mut found, &row, *weight);
        }
    }
    found
}

fn add(multiset: &mut Multiset, row: &Row, weight: i64) {
    let total = multiset.entry(row.clone()).or_default();
    *total += weight;
    if *total == 0 {
        multiset.remove(row);
    }
}

/// A change that leaves no negative weight, as single records in any order, cut into batches.
fn random_epoch(random: &mut fastrand::Rng, contents: &mut Multiset, unique: bool) -> Vec<ZBatch> {
    let mut records = Vec::new();
    for _ in 0..random.usize(0..30) {
        let row = random_row(random, if unique { 300 } else { 40 });
        let taken =
            contents.iter().find(|(other, _)| other.0 == row.0).map(|(row, weight)| (row.clone(), *weight));
        if unique && let Some((old, weight)) = taken {
            add(contents, &old, -weight);
            records.push((old, -weight));
        }
        let weight = if unique { 1 } else { random.i64(1..3) };
        add(contents, &row, weight);
        records.push((row, weight));
    }
    for _ in 0..random.usize(0..30) {
        let Some((row, weight)) = random.choice(contents.iter()).map(|(row, weight)| (row.clone(), *weight))
        else {
            break;
        };
        let gone = random.i64(1..=weight);
        add(contents, &row, -gone);
        records.extend((0..gone).map(|_| (row.clone(), -1)));
    }
    random.shuffle(&mut records);
    let mut batches = Vec::new();
    while !records.is_empty() {
        let rest = records.split_off(random.usize(1..=records.len()));
        batches.push(batch(random, &records));
        records = rest;
    }
    batches
}

fn check_relation(key: Option<Vec<usize>>, seed: u64) {
    let random = &mut fastrand::Rng::with_seed(seed);
    let schema = batch(random, &[]).schema();
    let frontiers = (0..2).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let relation = Relation::new(schema, key.clone(), false, frontiers);
    // Shards by parity of the key, as an exchange would.
    let mut now = [Multiset::new(), Multiset::new()];
    let mut history: BTreeMap<u64, Multiset> = BTreeMap::from([(0, Multiset::new())]);
    let mut since = 0;
    for epoch in (10..4000).step_by(10) {
        for (shard, contents) in now.iter_mut().enumerate() {
            // Keys of the two shards must differ if they are unique.
            if key.is_some() && shard == 1 {
                continue;
            }
            for delta in random_epoch(random, contents, key.is_some()) {
                relation.apply(shard, epoch, &delta);
            }
            relation.advance(shard, epoch + 1);
        }
        relation.advance(1, epoch + 1);
        assert_eq!(relation.frontier(), epoch + 1);
        let mut all = now[0].clone();
        now[1].iter().for_each(|(row, weight)| add(&mut all, row, *weight));
        assert_eq!(relation.len(), all.values().sum::<i64>() as u64, "seed {seed}");
        history.insert(epoch, all);
        let asked =
            random.choice(history.range(since..).map(|(epoch, _)| *epoch).collect::<Vec<_>>()).unwrap();
        let found = relation.snapshot(asked + random.u64(0..10)).unwrap();
        assert!(found.iter().all(|batch| batch.weights().values().iter().all(|weight| *weight > 0)));
        assert_eq!(multiset(&found), history[&asked], "seed {seed} epoch {asked} of {epoch}");
        if key.is_some() {
            check_lookup(random, &relation, &history[&asked], Some(asked), seed);
            check_lookup(random, &relation, &history[&epoch], None, seed);
        }
        if random.u8(..) < 30 {
            since = asked;
            relation.set_since(since);
        }
    }
}

fn check_lookup(
    random: &mut fastrand::Rng,
    relation: &Relation,
    expect: &Multiset,
    epoch: Option<u64>,
    seed: u64,
) {
    let keys = (0..20).map(|_| random_row(random, 300).0).collect::<Vec<_>>();
    let column: ArrayRef = Arc::new(Int64Array::from(keys.clone()));
    let found = relation.lookup(&[column], epoch);
    let mut pairs = found.probe_rows.into_iter().zip(rows_of(&found.rows)).collect::<Vec<_>>();
    pairs.sort();
    let matching = |key: &Option<i64>| expect.keys().find(|row| row.0 == *key).cloned();
    let expect = keys.iter().enumerate().filter_map(|(at, key)| Some((at as u32, matching(key)?)));
    assert_eq!(pairs, expect.collect::<Vec<_>>(), "seed {seed} epoch {epoch:?}");
}

#[test]
fn relation_without_key_shows_every_epoch() {
    (0..3).for_each(|_| check_relation(None, fastrand::u64(..)));
}

#[test]
fn relation_with_key_shows_every_epoch() {
    (0..3).for_each(|_| check_relation(Some(vec![0]), fastrand::u64(..)));
}

#[test]
fn append_only_relation_needs_no_index() {
    let random = &mut fastrand::Rng::with_seed(3);
    let relation = Relation::new(batch(random, &[]).schema(), None, true, vec![Arc::default()]);
    let mut history = Vec::new();
    let mut contents = Multiset::new();
    for epoch in 0..200 {
        let rows =
            (0..random.usize(0..9)).map(|_| (random_row(random, 9), random.i64(1..3))).collect::<Vec<_>>();
        rows.iter().for_each(|(row, weight)| add(&mut contents, row, *weight));
        relation.apply(0, epoch, &batch(random, &rows));
        history.push(contents.clone());
    }
    for (epoch, expect) in history.iter().enumerate() {
        assert_eq!(&multiset(&relation.snapshot(epoch as u64).unwrap()), expect);
    }
}

#[test]
fn errors_are_versioned_with_the_rows() {
    let random = &mut fastrand::Rng::with_seed(3);
    let relation = Relation::new(batch(random, &[]).schema(), None, false, vec![Arc::default(); 2]);
    let error = |text: &str| SqlError::new(SqlState::DIVISION_BY_ZERO, text);
    let delta = |text: &str, weight| ErrorDelta { error: error(text), weight };
    relation.apply_errors(0, 10, &[delta("b", 1)]);
    relation.apply_errors(1, 20, &[delta("a", 2)]);
    relation.apply_errors(1, 30, &[delta("a", -2)]);
    relation.apply_errors(0, 40, &[delta("b", -1)]);
    assert!(relation.snapshot(9).is_ok());
    assert_eq!(relation.snapshot(10).unwrap_err(), error("b"));
    assert_eq!(relation.snapshot(20).unwrap_err(), error("a"));
    assert_eq!(relation.snapshot(30).unwrap_err(), error("b"));
    assert!(relation.snapshot(40).is_ok());
    assert_eq!(relation.snapshot_shard(1, 25).1, [delta("a", 2)]);
}

#[test]
fn an_often_updated_key_stays_cheap() {
    let random = &mut fastrand::Rng::with_seed(5);
    let relation = Relation::new(batch(random, &[]).schema(), Some(vec![0]), false, vec![Arc::default()]);
    let row = |value: u64| (Some(1), None, Some((value as f64).to_bits()));
    relation.apply(0, 0, &batch(random, &[(row(0), 1)]));
    for epoch in 1..30_000 {
        let delta = batch(random, &[(row(epoch), 1), (row(epoch - 1), -1)]);
        relation.apply(0, epoch, &delta);
        relation.set_since(epoch - 1);
    }
    assert_eq!(multiset(&relation.snapshot(29_999).unwrap()), Multiset::from([(row(29_999), 1)]));
    assert_eq!(multiset(&relation.snapshot(29_998).unwrap()), Multiset::from([(row(29_998), 1)]));
    assert!(relation.bytes() < 4 << 20, "{} bytes", relation.bytes());
}

/// All matches of every key, however few a step may return.
fn check_indexed(append_only: bool, key: Vec<usize>, seed: u64) {
    let random = &mut fastrand::Rng::with_seed(seed);
    let mut state = IndexedZSet::new(batch(random, &[]).schema(), key.clone(), append_only);
    let mut contents = Multiset::new();
    for _ in 0..60 {
        let mut records = (0..20).map(|_| (random_row(random, 30), random.i64(1..3))).collect::<Vec<_>>();
        if !append_only {
            let known = contents.keys().filter(|_| random.u8(..) < 60).cloned().collect::<Vec<_>>();
            records.extend(known.into_iter().map(|row| (row, -random.i64(1..4))));
        }
        random.shuffle(&mut records);
        records.iter().for_each(|(row, weight)| add(&mut contents, row, *weight));
        state.apply(&batch(random, &records));

        let probes = (0..10).map(|_| (random_row(random, 30), 1)).collect::<Vec<_>>();
        let probe = batch(random, &probes);
        let keys = key.iter().map(|column| probe.columns()[*column].clone()).collect::<Vec<_>>();
        let hashes = IndexedZSet::hashes(&keys, probe.len());
        let mut cursor = Cursor::default();
        let mut found: BTreeMap<(u32, Row), i64> = BTreeMap::new();
        loop {
            let matches = state.probe(&keys, &hashes, &mut cursor, random.usize(1..10));
            if matches.row_ids.is_empty() {
                break;
            }
            let rows = rows_of(&state.gather_rows(&matches.row_ids));
            for ((at, row), weight) in matches.probe_rows.iter().zip(rows).zip(&matches.weights) {
                *found.entry((*at, row)).or_default() += weight;
            }
        }
        found.retain(|_, weight| *weight != 0);
        let keyed = |row: &Row| {
            let (a, b, c) = row.clone();
            (key.contains(&0).then_some(a), key.contains(&1).then_some(b), key.contains(&2).then_some(c))
        };
        let mut expect = BTreeMap::new();
        for (at, (probe, _)) in probes.iter().enumerate() {
            let matching = contents.iter().filter(|(row, _)| keyed(row) == keyed(probe));
            expect.extend(matching.map(|(row, weight)| ((at as u32, row.clone()), *weight)));
        }
        assert_eq!(found, expect, "seed {seed}");
    }
    let weight = contents.values().map(|weight| weight.unsigned_abs() as usize).sum();
    assert!(append_only || state.len() <= weight, "seed {seed}: {} rows", state.len());
}

#[test]
fn indexed_finds_all_matches() {
    for key in [vec![0], vec![0, 2], vec![], vec![2, 1, 0]] {
        check_indexed(false, key.clone(), fastrand::u64(..));
        check_indexed(true, key, fastrand::u64(..));
    }
}

#[test]
fn consolidate_agrees_with_a_multiset() {
    let seed = fastrand::u64(..);
    let random = &mut fastrand::Rng::with_seed(seed);
    for _ in 0..200 {
        let rows =
            (0..random.usize(0..60)).map(|_| (random_row(random, 4), random.i64(-2..3))).collect::<Vec<_>>();
        let batch = batch(random, &rows);
        let found = consolidate(&batch);
        assert_eq!(multiset([&found]), multiset([&batch]), "seed {seed}");
        assert_eq!(found.len(), multiset([&batch]).len(), "seed {seed}");
        assert_eq!(found.rows().column(0).len(), found.len());
    }
}
