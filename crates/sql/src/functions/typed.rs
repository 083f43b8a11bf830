//! Functions that declare the types that they take. The binder, which looks functions up by name alone, gets a
//! [`Typed`] function; the analyzer, which knows the types of the arguments, decides on one of its variants and
//! brings the arguments to the types of that.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, Int32Type};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use springtide_types::{SqlError, SqlType, UNCONSTRAINED_NUMERIC};

use crate::errors::external;
use crate::operators::{as_numeric, as_type, known_type};
use crate::overload::choose;
use crate::style::in_style;

/// One of the functions of a name.
#[derive(Debug)]
pub(super) struct Variant {
    pub parameters: &'static [SqlType],
    /// How many of the parameters must be given.
    pub required: usize,
    pub gives: Gives,
    /// One value per row.
    pub run: fn(&Args<'_>) -> Result<ArrayRef, SqlError>,
}

/// The type of a result.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gives {
    One(SqlType),
    /// A `numeric` whose precision and scale follow from the arguments.
    Numeric(fn(&Shape) -> (u8, i8)),
    /// `text[]`
    Texts,
    /// An array of this type.
    Array(SqlType),
    /// An array of `text[]`, which is made rows of at once.
    TextArrays,
    /// PostgreSQL has the function, this database has not: what to call it.
    Refused(&'static str),
}

impl Gives {
    fn arrow(self, shape: &Shape) -> DataType {
        match self {
            Gives::One(sql_type) => sql_type.arrow(),
            Gives::Numeric(of) => {
                let (precision, scale) = of(shape);
                DataType::Decimal128(precision, scale)
            }
            Gives::Texts => DataType::new_list(DataType::Utf8, true),
            Gives::Array(element) => DataType::new_list(element.arrow(), true),
            Gives::TextArrays => DataType::new_list(DataType::new_list(DataType::Utf8, true), true),
            Gives::Refused(_) => DataType::Null,
        }
    }
}

/// What is known of arguments before there are rows.
pub(super) struct Shape {
    types: Vec<Option<SqlType>>,
    constants: Vec<Option<ScalarValue>>,
}

impl Shape {
    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.types.len()
    }

    /// The precision and scale of a numeric argument.
    pub(super) fn numeric(&self, position: usize) -> (u8, i8) {
        match self.types[position].map(as_numeric) {
            Some(SqlType::Numeric(precision, scale)) => (precision, scale),
            _ => UNCONSTRAINED_NUMERIC,
        }
    }

    /// The value of an integer argument that is a constant.
    pub(super) fn integer(&self, position: usize) -> Option<i64> {
        let value = self.constants[position].as_ref()?.cast_to(&DataType::Int64).ok()?;
        match value {
            ScalarValue::Int64(value) => value,
            _ => None,
        }
    }

    /// The value of a numeric argument that is a constant, and its scale.
    pub(super) fn decimal(&self, position: usize) -> Option<(i128, i8)> {
        match self.constants[position].as_ref()? {
            ScalarValue::Decimal128(Some(value), _, scale) => Some((*value, *scale)),
            ScalarValue::Int16(Some(value)) => Some((i128::from(*value), 0)),
            ScalarValue::Int32(Some(value)) => Some((i128::from(*value), 0)),
            ScalarValue::Int64(Some(value)) => Some((i128::from(*value), 0)),
            _ => None,
        }
    }
}

/// A parameter that takes a `numeric` as it is.
pub(super) const NUMERIC: SqlType = SqlType::Numeric(UNCONSTRAINED_NUMERIC.0, UNCONSTRAINED_NUMERIC.1);

/// An argument in the type of a parameter. Decimals keep their scale.
fn as_parameter(arg: Expr, parameter: SqlType, schema: &DFSchema) -> Result<Expr> {
    match (known_type(&arg, schema)?, parameter) {
        (Some(known @ SqlType::Numeric(..)), NUMERIC) => as_type(arg, known, schema),
        (Some(known @ (SqlType::Int2 | SqlType::Int4 | SqlType::Int8)), NUMERIC) => {
            as_type(arg, as_numeric(known), schema)
        }
        _ => as_type(arg, parameter, schema),
    }
}

/// A function that takes all its parameters.
pub(super) const fn variant(
    parameters: &'static [SqlType],
    gives: Gives,
    run: fn(&Args<'_>) -> Result<ArrayRef, SqlError>,
) -> Variant {
    Variant { parameters, required: parameters.len(), gives, run }
}

/// A function that is not there.
pub(super) const fn refused(parameters: &'static [SqlType], what: &'static str) -> Variant {
    variant(parameters, Gives::Refused(what), |_| Err(SqlError::internal("a refused function is run")))
}

/// The functions of one name.
#[derive(Debug)]
pub(super) struct Typed {
    name: &'static str,
    variants: &'static [Variant],
    /// The one that a call means, and the type of its result.
    decided: Option<(&'static Variant, DataType)>,
    /// Whether the result is NULL if an argument is.
    strict: bool,
    signature: Signature,
}

impl Typed {
    pub(super) fn udf(name: &'static str, variants: &'static [Variant]) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Typed::new(name, variants, None)))
    }

    /// Functions that look at NULLs themselves.
    pub(super) fn udf_with_nulls(name: &'static str, variants: &'static [Variant]) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Typed { strict: false, ..Typed::new(name, variants, None) }))
    }

    /// A function of one variant, for what the binder calls with arguments of its types.
    pub(super) fn of_one(
        name: &'static str,
        variants: &'static [Variant; 1],
        gives: DataType,
    ) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Typed::new(name, variants, Some((&variants[0], gives)))))
    }

    fn new(
        name: &'static str,
        variants: &'static [Variant],
        decided: Option<(&'static Variant, DataType)>,
    ) -> Typed {
        let any = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        Typed { name, variants, decided, strict: true, signature: Signature::new(any, Volatility::Immutable) }
    }

    fn choose(&self, given: &[Option<SqlType>]) -> springtide_types::Result<&'static Variant> {
        if let Some((variant, _)) = &self.decided {
            return Ok(*variant);
        }
        let takes = |variant: &&Variant| (variant.required..=variant.parameters.len()).contains(&given.len());
        let fitting = self.variants.iter().filter(takes).collect::<Vec<_>>();
        let parameters = fitting.iter().map(|variant| variant.parameters[..given.len()].to_vec());
        match fitting[choose(self.name, &parameters.collect::<Vec<_>>(), given)?] {
            Variant { gives: Gives::Refused(what), .. } => Err(SqlError::unsupported(*what)),
            variant => Ok(variant),
        }
    }
}

/// The call decided for arguments of these types, if its function is to be.
pub(crate) fn decide(
    call: &ScalarFunction,
    types: &[Option<SqlType>],
    schema: &DFSchema,
) -> Result<Option<ScalarFunction>> {
    let Some(typed) = call.func.inner().as_ref().downcast_ref::<Typed>() else { return Ok(None) };
    let variant = typed.choose(types).map_err(external)?;
    let args = call.args.iter().cloned().zip(variant.parameters);
    let args =
        args.map(|(arg, parameter)| as_parameter(arg, *parameter, schema)).collect::<Result<Vec<_>>>()?;
    let func = match typed.decided {
        Some(_) => call.func.clone(),
        None => {
            let types = args.iter().map(|arg| known_type(arg, schema)).collect::<Result<_>>()?;
            let constants = call.args.iter().map(|arg| match arg {
                Expr::Literal(value, _) => Some(value.clone()),
                _ => None,
            });
            let result = variant.gives.arrow(&Shape { types, constants: constants.collect() });
            let decided = Typed::new(typed.name, typed.variants, Some((variant, result)));
            Arc::new(ScalarUDF::from(Typed { strict: typed.strict, ..decided }))
        }
    };
    Ok(Some(ScalarFunction::new_udf(func, args)))
}

impl PartialEq for Typed {
    fn eq(&self, other: &Typed) -> bool {
        let decided = |typed: &Typed| {
            typed.decided.clone().map(|(variant, result)| (std::ptr::from_ref(variant), result))
        };
        self.name == other.name && decided(self) == decided(other)
    }
}

impl Eq for Typed {}

impl Hash for Typed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// The types of arguments, where one is known.
pub(super) fn known_types(types: &[DataType]) -> Vec<Option<SqlType>> {
    types.iter().map(|given| SqlType::from_arrow(given).filter(|_| !given.is_null())).collect()
}

/// The types of arguments, where one is known: that of a string literal is open.
pub(super) fn argument_types(args: &ReturnFieldArgs<'_>) -> Vec<Option<SqlType>> {
    let arguments = args.arg_fields.iter().zip(args.scalar_arguments);
    let types = arguments.map(|(field, constant)| match constant {
        Some(ScalarValue::Utf8(_)) => None,
        _ if field.data_type().is_null() => None,
        _ => SqlType::from_arrow(field.data_type()),
    });
    types.collect()
}

impl ScalarUDFImpl for Typed {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let Some((_, result)) = &self.decided {
            return Ok(result.clone());
        }
        let types = known_types(types);
        let variant = self.choose(&types).map_err(external)?;
        let constants = vec![None; types.len()];
        Ok(variant.gives.arrow(&Shape { types, constants }))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let result = match &self.decided {
            Some((_, result)) => result.clone(),
            None => {
                let types = argument_types(&args);
                let variant = self.choose(&types).map_err(external)?;
                let constants = args.scalar_arguments.iter().map(|value| value.cloned()).collect();
                variant.gives.arrow(&Shape { types, constants })
            }
        };
        Ok(Arc::new(Field::new(self.name, result, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((variant, result)) = &self.decided else {
            return datafusion::common::internal_err!("the analyzer decides which {} is meant", self.name);
        };
        // The optimizer asks what becomes of NULLs without a type.
        if args.args.iter().any(|arg| arg.data_type().is_null()) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(result)?));
        }
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let run = || (variant.run)(&Args { values: &args.args, rows, result });
        let values = in_style(&args, run).map_err(external)?;
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
        } else {
            ColumnarValue::Array(values)
        })
    }

    fn is_strict(&self) -> bool {
        self.strict
    }
}

/// The arguments of a call, in the types of the parameters.
pub(super) struct Args<'a> {
    values: &'a [ColumnarValue],
    pub rows: usize,
    /// The type of the result.
    pub result: &'a DataType,
}

impl Args<'_> {
    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The Arrow type of an argument.
    pub(super) fn data_type(&self, position: usize) -> DataType {
        self.values[position].data_type()
    }

    /// The scale of a numeric argument.
    pub(super) fn scale(&self, position: usize) -> i8 {
        match self.values[position].data_type() {
            DataType::Decimal128(_, scale) => scale,
            _ => 0,
        }
    }

    /// The precision of a numeric argument.
    pub(super) fn precision(&self, position: usize) -> u8 {
        match self.values[position].data_type() {
            DataType::Decimal128(precision, _) => precision,
            _ => UNCONSTRAINED_NUMERIC.0,
        }
    }

    pub(super) fn text(&self, position: usize) -> Texts<'_> {
        match &self.values[position] {
            ColumnarValue::Array(array) => Texts::Column(array.as_string::<i32>()),
            ColumnarValue::Scalar(value) => Texts::Constant(value.try_as_str().flatten()),
        }
    }

    /// The elements of an argument of type `text[]` in a row; `None` for NULL.
    pub(super) fn elements(
        &self,
        position: usize,
    ) -> Result<impl Fn(usize) -> Option<Vec<Option<String>>>, SqlError> {
        let arrays = self.array(position)?;
        Ok(move |row| {
            let list = arrays.as_list::<i32>().is_valid(row).then(|| arrays.as_list::<i32>().value(row))?;
            Some(list.as_string::<i32>().iter().map(|element| element.map(str::to_owned)).collect())
        })
    }

    /// The text argument if it is given, else `default` for every row.
    pub(super) fn text_or<'a>(&'a self, position: usize, default: &'a str) -> Texts<'a> {
        if position < self.len() { self.text(position) } else { Texts::Constant(Some(default)) }
    }

    pub(super) fn array(&self, position: usize) -> Result<ArrayRef, SqlError> {
        self.values[position].to_array(self.rows).map_err(|error| springtide_plan::sql_error(&error))
    }

    /// The integer argument if it is given, else `default` for every row.
    pub(super) fn int4_or(&self, position: usize, default: i32) -> Result<Integers, SqlError> {
        if position < self.len() { self.values(position) } else { Ok(Values::Constant(Some(default))) }
    }

    /// An argument of fixed width.
    pub(super) fn values<T: ArrowPrimitiveType>(&self, position: usize) -> Result<Values<T>, SqlError> {
        Ok(match &self.values[position] {
            ColumnarValue::Array(array) => Values::Column(array.as_primitive::<T>().clone()),
            ColumnarValue::Scalar(value) => {
                let value = value.to_array().map_err(|error| springtide_plan::sql_error(&error))?;
                let value = value.as_primitive::<T>();
                Values::Constant(value.is_valid(0).then(|| value.value(0)))
            }
        })
    }
}

/// One text per row.
#[derive(Clone, Copy)]
pub(super) enum Texts<'a> {
    Constant(Option<&'a str>),
    Column(&'a StringArray),
}

impl<'a> Texts<'a> {
    /// Whether all rows have the same.
    pub(super) fn is_constant(self) -> bool {
        matches!(self, Texts::Constant(_))
    }

    pub(super) fn get(self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Constant(text) => text,
            Texts::Column(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }
}

pub(super) type Integers = Values<Int32Type>;

/// One value per row.
pub(super) enum Values<T: ArrowPrimitiveType> {
    Constant(Option<T::Native>),
    Column(PrimitiveArray<T>),
}

impl<T: ArrowPrimitiveType> Values<T> {
    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        match self {
            Values::Constant(value) => *value,
            Values::Column(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }
}
