//! `+ - * / %` that fail where PostgreSQL fails: on overflow and on division by zero. DataFusion's own
//! wrap around, and its constant folding does so before any option is looked at.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Datum, PrimitiveArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type, IntervalUnit, TimeUnit};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType, TIMETZ_BYTES};

use super::{decimal, temporal_arithmetic};
use crate::style::in_style;

/// A binary arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl fmt::Display for ArithmeticOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ArithmeticOp::Add => "+",
            ArithmeticOp::Subtract => "-",
            ArithmeticOp::Multiply => "*",
            ArithmeticOp::Divide => "/",
            ArithmeticOp::Modulo => "%",
        })
    }
}

/// `left op right` over operands whose types fit already.
pub(crate) fn arithmetic(op: ArithmeticOp, left: Expr, right: Expr) -> Expr {
    static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 5]> = LazyLock::new(|| {
        use ArithmeticOp::*;
        [Add, Subtract, Multiply, Divide, Modulo].map(|op| Arc::new(ScalarUDF::from(Arithmetic::new(op))))
    });
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTIONS[op as usize].clone(), vec![left, right]))
}

/// `-operand`.
pub(crate) fn negate(operand: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::from(Negate::new())));
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), vec![operand]))
}

/// The operator that the function computes, if it is [`arithmetic`]'s.
pub(crate) fn arithmetic_op(function: &ScalarFunction) -> Option<ArithmeticOp> {
    function.func.inner().as_ref().downcast_ref::<Arithmetic>().map(|arithmetic| arithmetic.op)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    name: String,
    op: ArithmeticOp,
    signature: Signature,
}

impl Arithmetic {
    fn new(op: ArithmeticOp) -> Arithmetic {
        Arithmetic { name: op.to_string(), op, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        result_type(self.op, &types[0], &types[1])
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{} {} {}", args[0].schema_name(), self.op, args[1].schema_name()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let target = args.return_type().clone();
        // The optimizer asks what becomes of NULLs without a type.
        if args.args.iter().any(|arg| arg.data_type().is_null()) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(target)?));
        }
        let operands = [operand(&args.args[0])?, operand(&args.args[1])?];
        let result = in_style(&args, || compute(self.op, &operands[0], &operands[1], &target))?;
        as_columnar(&args.args, result)
    }

    fn is_strict(&self) -> bool {
        true
    }
}

/// An operand is an array, or a scalar that stands for as many rows as needed.
pub(super) struct Operand {
    pub array: ArrayRef,
    pub scalar: bool,
}

impl Operand {
    /// The values of a primitive type, over and over if it is a scalar.
    pub(super) fn values<T: ArrowPrimitiveType>(&self) -> impl Iterator<Item = Option<T::Native>> {
        let (array, rows) = (self.array.as_primitive::<T>(), self.array.len());
        let repeated = if self.scalar { usize::MAX } else { 1 };
        (0..repeated).flat_map(move |_| (0..rows).map(|row| array.is_valid(row).then(|| array.value(row))))
    }
}

impl Datum for Operand {
    fn get(&self) -> (&dyn Array, bool) {
        (self.array.as_ref(), self.scalar)
    }
}

fn operand(value: &ColumnarValue) -> Result<Operand> {
    Ok(match value {
        ColumnarValue::Array(array) => Operand { array: array.clone(), scalar: false },
        ColumnarValue::Scalar(scalar) => Operand { array: scalar.to_array()?, scalar: true },
    })
}

fn as_columnar(args: &[ColumnarValue], result: ArrayRef) -> Result<ColumnarValue> {
    if args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
    } else {
        Ok(ColumnarValue::Array(result))
    }
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// What `left op right` is, for the pairs of types that the binder lets through.
fn result_type(op: ArithmeticOp, left: &DataType, right: &DataType) -> Result<DataType> {
    use ArithmeticOp::*;
    use DataType::*;
    Ok(match (left, right) {
        (Decimal128(p1, s1), Decimal128(p2, s2)) => match op {
            Add | Subtract | Modulo => decimal::sum_type((*p1, *s1), (*p2, *s2)),
            Multiply => decimal::product_type((*p1, *s1), (*p2, *s2)),
            Divide => Decimal128(38, decimal::quotient_scale((*p1, *s1), *s2)),
        },
        (Date32, Date32) => Int32,
        (Time64(_), Time64(_)) => INTERVAL,
        (Date32, Time64(_)) | (Time64(_), Date32) => Timestamp(TimeUnit::Microsecond, None),
        (Date32, FixedSizeBinary(_)) | (FixedSizeBinary(_), Date32) => SqlType::Timestamptz.arrow(),
        (Interval(_), Time64(_)) | (Time64(_), Interval(_)) => Time64(TimeUnit::Microsecond),
        (Interval(_), FixedSizeBinary(_)) | (FixedSizeBinary(_), Interval(_)) => SqlType::Timetz.arrow(),
        (Int32, Date32) => Date32,
        (Timestamp(..), Timestamp(..)) => INTERVAL,
        (Interval(_), Date32 | Timestamp(..)) => right.clone(),
        _ if left == right || matches!(left, Date32 | Timestamp(..) | Interval(_)) => left.clone(),
        _ => return exec_err!("no operator {left} {op} {right}"),
    })
}

fn compute(op: ArithmeticOp, left: &Operand, right: &Operand, target: &DataType) -> Result<ArrayRef> {
    use DataType::*;
    match (left.array.data_type(), right.array.data_type()) {
        (Decimal128(..), Decimal128(..)) => decimal::compute(op, left, right, target),
        (Float32, Float32) => float::<Float32Type>(op, left, right),
        (Float64, Float64) => float::<Float64Type>(op, left, right),
        (one, other) if is_temporal(one) || is_temporal(other) => {
            temporal_arithmetic::compute(op, left, right, target)
        }
        _ => kernel(op)(left, right).map_err(|error| failure(error, target)),
    }
}

fn is_temporal(data_type: &DataType) -> bool {
    use DataType::{Date32, FixedSizeBinary, Interval, Time64, Timestamp};
    matches!(data_type, Date32 | Time64(_) | Timestamp(..) | Interval(_) | FixedSizeBinary(TIMETZ_BYTES))
}

type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>;

fn kernel(op: ArithmeticOp) -> Kernel {
    match op {
        ArithmeticOp::Add => numeric::add,
        ArithmeticOp::Subtract => numeric::sub,
        ArithmeticOp::Multiply => numeric::mul,
        ArithmeticOp::Divide => numeric::div,
        ArithmeticOp::Modulo => numeric::rem,
    }
}

/// The kernels name the operands; PostgreSQL names the type.
fn failure(error: ArrowError, target: &DataType) -> DataFusionError {
    match error {
        ArrowError::DivideByZero => division_by_zero(),
        ArrowError::ArithmeticOverflow(_) => match SqlType::from_arrow(target) {
            Some(sql_type) => out_of_range(&sql_type.to_string()),
            None => out_of_range("value"),
        },
        other => other.into(),
    }
}

pub(super) fn division_by_zero() -> DataFusionError {
    external(SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero"))
}

pub(super) fn out_of_range(type_name: &str) -> DataFusionError {
    let message = format!("{type_name} out of range");
    external(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message))
}

pub(super) fn external(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Floats divide by zero and overflow to infinity without a word; PostgreSQL reports both.
fn float<T>(op: ArithmeticOp, left: &Operand, right: &Operand) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<f64>,
{
    let result = kernel(op)(left, right)?;
    let valid = |row: usize| !result.is_null(row);
    if matches!(op, ArithmeticOp::Divide | ArithmeticOp::Modulo) {
        let divisors = right.array.as_primitive::<T>();
        let dividends = left.array.as_primitive::<T>();
        let zero = |row: usize| {
            let divisor: f64 = divisors.value(if right.scalar { 0 } else { row }).into();
            let dividend: f64 = dividends.value(if left.scalar { 0 } else { row }).into();
            divisor == 0.0 && valid(row) && !dividend.is_nan()
        };
        if has_zero(divisors) && (0..result.len()).any(zero) {
            return Err(division_by_zero());
        }
    }
    let values = result.as_primitive::<T>();
    let infinite = |row: usize, operand: &Operand| {
        let row = if operand.scalar { 0 } else { row };
        let value: f64 = operand.array.as_primitive::<T>().value(row).into();
        value.is_infinite()
    };
    let overflows = |row: usize| {
        let value: f64 = values.value(row).into();
        value.is_infinite() && valid(row) && !infinite(row, left) && !infinite(row, right)
    };
    let refuse = |message| Err(external(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)));
    if (0..values.len()).any(overflows) {
        return refuse("value out of range: overflow");
    }
    let is_zero = |row: usize, operand: &Operand| {
        let value: f64 = operand.array.as_primitive::<T>().value(if operand.scalar { 0 } else { row }).into();
        value == 0.0
    };
    let underflows = |row: usize| {
        let value: f64 = values.value(row).into();
        let vanishes = match op {
            ArithmeticOp::Multiply => !is_zero(row, left) && !is_zero(row, right),
            ArithmeticOp::Divide => !is_zero(row, left) && !infinite(row, right),
            _ => false,
        };
        value == 0.0 && vanishes && valid(row)
    };
    if matches!(op, ArithmeticOp::Multiply | ArithmeticOp::Divide) && (0..values.len()).any(underflows) {
        return refuse("value out of range: underflow");
    }
    Ok(result)
}

fn has_zero<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>) -> bool
where
    T::Native: Into<f64>,
{
    values.values().iter().any(|value| Into::<f64>::into(*value) == 0.0)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Negate {
    signature: Signature,
}

impl Negate {
    fn new() -> Negate {
        Negate { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Negate {
    fn name(&self) -> &str {
        "-"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let operand = operand(&args.args[0])?;
        let result = match operand.array.data_type() {
            DataType::Interval(_) => temporal_arithmetic::negate(&operand.array)?,
            data_type => numeric::neg(&operand.array).map_err(|error| failure(error, data_type))?,
        };
        as_columnar(&args.args, result)
    }

    fn is_strict(&self) -> bool {
        true
    }
}
