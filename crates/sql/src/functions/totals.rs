use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Float64Builder, Int64Array,
    IntervalMonthDayNanoArray, ListBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::EmitTo;
use springtide_operators::ExactSum;

use super::arithmetic::{external, out_of_range};
use super::decimal::numeric_overflow;

/// What is summed, and so what the sum is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Small integers to bigint.
    Integer,
    /// Decimals of this scale, and bigints to scale 0.
    Decimal(i8),
    Float,
    Interval,
}

impl Kind {
    /// The kind of sum that has this type.
    pub(super) fn of(result: &DataType) -> Result<Kind> {
        Ok(match result {
            DataType::Int64 => Kind::Integer,
            DataType::Decimal128(_, scale) => Kind::Decimal(*scale),
            DataType::Float64 => Kind::Float,
            DataType::Interval(IntervalUnit::MonthDayNano) => Kind::Interval,
            other => return internal_err!("a sum of type {other}"),
        })
    }

    /// The type of a partial sum.
    pub(super) fn state_type(self) -> DataType {
        match self {
            Kind::Integer => DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
            Kind::Decimal(scale) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale),
            Kind::Float => DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true))),
            Kind::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        }
    }
}

/// Running totals, one per group. Only the vector of its kind is in use.
#[derive(Debug)]
pub(super) struct Totals {
    kind: Kind,
    exact: Vec<i128>,
    floats: Vec<ExactSum>,
    intervals: Vec<[i128; 3]>,
    /// Values that are not NULL: without any, the sum is NULL.
    counts: Vec<i64>,
}

impl Totals {
    pub(super) fn new(kind: Kind, groups: usize) -> Totals {
        let mut totals =
            Totals { kind, exact: vec![], floats: vec![], intervals: vec![], counts: Vec::new() };
        totals.resize(groups);
        totals
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        match self.kind {
            Kind::Integer | Kind::Decimal(_) => self.exact.resize(groups, 0),
            Kind::Float => self.floats.resize(groups, ExactSum::new()),
            Kind::Interval => self.intervals.resize(groups, [0; 3]),
        }
    }

    /// Adds each value `weight` times to its group, if it has one.
    pub(super) fn add(
        &mut self,
        values: &ArrayRef,
        group: impl Fn(usize) -> Option<usize>,
        weight: i64,
    ) -> Result<()> {
        let values = if values.data_type() == &DataType::Float32 {
            &cast(values, &DataType::Float64)?
        } else {
            values
        };
        macro_rules! each {
            ($type:ty, |$group:ident, $value:ident| $add:expr) => {{
                let array = values.as_primitive::<$type>();
                for (row, $value) in array.values().iter().enumerate() {
                    if let Some($group) = group(row).filter(|_| array.is_valid(row)) {
                        self.counts[$group] += weight;
                        $add
                    }
                }
            }};
        }
        let exact = i128::from(weight);
        match values.data_type() {
            DataType::Int16 => each!(Int16Type, |group, v| self.exact[group] += exact * i128::from(*v)),
            DataType::Int32 => each!(Int32Type, |group, v| self.exact[group] += exact * i128::from(*v)),
            DataType::Int64 => each!(Int64Type, |group, v| self.exact[group] += exact * i128::from(*v)),
            DataType::Decimal128(..) => each!(Decimal128Type, |group, v| {
                self.exact[group] = self.exact[group].checked_add(exact * v).ok_or_else(numeric_overflow)?;
            }),
            DataType::Float64 => each!(Float64Type, |group, v| self.floats[group].add(*v, weight)),
            DataType::Interval(IntervalUnit::MonthDayNano) => each!(IntervalMonthDayNanoType, |group, v| {
                let [months, days, nanos] = &mut self.intervals[group];
                *months += exact * i128::from(v.months);
                *days += exact * i128::from(v.days);
                *nanos += exact * i128::from(v.nanoseconds);
            }),
            other => return internal_err!("a sum over {other}"),
        }
        Ok(())
    }

    /// Adds the partial sums of [`Totals::states`].
    pub(super) fn merge(
        &mut self,
        sums: &ArrayRef,
        counts: &Int64Array,
        group: impl Fn(usize) -> usize,
    ) -> Result<()> {
        let known = |row: usize| (sums.is_valid(row) && counts.value(row) != 0).then(|| group(row));
        if let Some(parts) = sums.as_list_opt::<i32>() {
            for row in 0..parts.len() {
                if let Some(group) = known(row) {
                    let part = parts.value(row);
                    part.as_primitive::<Float64Type>().values().iter().for_each(|value| {
                        self.floats[group].add(*value, 1);
                    });
                }
            }
        } else {
            self.add(sums, known, 1)?;
            (0..sums.len()).filter_map(known).for_each(|group| self.counts[group] -= 1);
        }
        for row in 0..counts.len() {
            if let Some(group) = known(row) {
                self.counts[group] += counts.value(row);
            }
        }
        Ok(())
    }

    /// Takes the first groups out.
    pub(super) fn take(&mut self, emit_to: EmitTo) -> Totals {
        let taken = match emit_to {
            EmitTo::All => self.counts.len(),
            EmitTo::First(groups) => groups,
        };
        fn first<T>(values: &mut Vec<T>, taken: usize) -> Vec<T> {
            let rest = values.split_off(taken.min(values.len()));
            std::mem::replace(values, rest)
        }
        Totals {
            kind: self.kind,
            exact: first(&mut self.exact, taken),
            floats: first(&mut self.floats, taken),
            intervals: first(&mut self.intervals, taken),
            counts: first(&mut self.counts, taken),
        }
    }

    fn known<'a, T>(&'a self, sums: &'a [T]) -> impl Iterator<Item = Option<&'a T>> {
        sums.iter().zip(&self.counts).map(|(sum, count)| (*count != 0).then_some(sum))
    }

    /// The sums.
    pub(super) fn results(&self) -> Result<ArrayRef> {
        Ok(match self.kind {
            Kind::Integer => {
                let narrow = |sum: &i128| i64::try_from(*sum).map_err(|_| out_of_range("bigint"));
                let sums = self.known(&self.exact).map(|sum| sum.map(narrow).transpose());
                Arc::new(sums.collect::<Result<Int64Array>>()?)
            }
            Kind::Decimal(scale) => self.decimals(scale)?,
            Kind::Float => {
                let round = |sum: &ExactSum| sum.value().map_err(external);
                let sums = self.known(&self.floats).map(|sum| sum.map(round).transpose());
                Arc::new(sums.collect::<Result<Float64Array>>()?)
            }
            Kind::Interval => {
                let sums = self.known(&self.intervals).map(|sum| sum.map(narrow_interval).transpose());
                Arc::new(sums.collect::<Result<Vec<_>>>()?.into_iter().collect::<IntervalMonthDayNanoArray>())
            }
        })
    }

    fn decimals(&self, scale: i8) -> Result<ArrayRef> {
        const LIMIT: u128 = 10_u128.pow(DECIMAL128_MAX_PRECISION as u32);
        if self.exact.iter().any(|sum| sum.unsigned_abs() >= LIMIT) {
            return Err(numeric_overflow());
        }
        let sums = self.known(&self.exact).map(|sum| sum.copied()).collect::<Decimal128Array>();
        Ok(Arc::new(sums.with_precision_and_scale(DECIMAL128_MAX_PRECISION, scale)?))
    }

    /// Partial sums and counts, for [`Totals::merge`].
    pub(super) fn states(&self) -> Result<Vec<ArrayRef>> {
        let sums = match self.kind {
            Kind::Integer => self.decimals(0)?,
            Kind::Float => self.float_parts()?,
            Kind::Decimal(_) | Kind::Interval => self.results()?,
        };
        Ok(vec![sums, Arc::new(Int64Array::from(self.counts.clone()))])
    }

    /// An exact sum as a list of floats that add up to it: what is left after rounding is rounded again.
    fn float_parts(&self) -> Result<ArrayRef> {
        let mut parts = ListBuilder::new(Float64Builder::new());
        for sum in &self.floats {
            let mut rest = sum.clone();
            loop {
                let value = rest.value().map_err(external)?;
                parts.values().append_value(value);
                if value == 0.0 || !value.is_finite() {
                    break;
                }
                rest.add(value, -1);
            }
            parts.append(true);
        }
        Ok(Arc::new(parts.finish()))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let floats = self.floats.iter().map(|sum| size_of::<ExactSum>() + sum.heap_bytes()).sum::<usize>();
        self.exact.capacity() * 16 + self.intervals.capacity() * 48 + self.counts.capacity() * 8 + floats
    }
}

fn narrow_interval([months, days, nanos]: &[i128; 3]) -> Result<IntervalMonthDayNano> {
    let interval = || {
        let (months, days) = (i32::try_from(*months).ok()?, i32::try_from(*days).ok()?);
        Some(IntervalMonthDayNano::new(months, days, i64::try_from(*nanos).ok()?))
    };
    interval().ok_or_else(|| out_of_range("interval"))
}
