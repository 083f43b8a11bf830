//! Functions whose types follow from those of the arrays and elements that they are called with.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use super::SLICE;
use crate::errors::external;
use crate::functions::typed::{argument_types, known_types};
use crate::operators::{as_type, known_type, result_type, same_type};
use crate::overload::no_function;

/// What a parameter or result is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// The array: of whatever type, but one in all places.
    Array,
    /// An element of it.
    Element,
    One(SqlType),
    /// `integer[]`
    Numbers,
    /// `text[]`
    Texts,
}

/// A function of arrays.
#[derive(Debug)]
pub(super) struct ArrayFunction {
    name: &'static str,
    parameters: &'static [Kind],
    /// How many of the last parameters need not be given.
    optional: usize,
    gives: Kind,
    /// Whether the result is NULL if an argument is.
    strict: bool,
    /// Whether an array of a narrower type becomes one of a wider.
    converts: bool,
    /// One value per row.
    run: fn(&Args) -> springtide_types::Result<ArrayRef>,
}

impl ArrayFunction {
    /// A strict function, that converts between types.
    pub(super) const fn of(
        name: &'static str,
        parameters: &'static [Kind],
        gives: Kind,
        run: fn(&Args) -> springtide_types::Result<ArrayRef>,
    ) -> ArrayFunction {
        ArrayFunction { name, parameters, optional: 0, gives, strict: true, converts: true, run }
    }

    /// The function looks at NULLs itself.
    pub(super) const fn with_nulls(self) -> ArrayFunction {
        ArrayFunction { strict: false, ..self }
    }

    /// The function with so many parameters at the end that need not be given.
    pub(super) const fn optional(self, optional: usize) -> ArrayFunction {
        ArrayFunction { optional, ..self }
    }

    /// The function for arrays of one type only.
    pub(super) const fn of_one_type(self) -> ArrayFunction {
        ArrayFunction { converts: false, ..self }
    }

    /// The type of elements that a call with arguments of these types is about.
    fn element(&self, given: &[Option<SqlType>]) -> springtide_types::Result<Option<SqlType>> {
        let wrong = || match given.first() {
            Some(Some(SqlType::Jsonb)) if self.name == SLICE => {
                let message = "jsonb subscript does not support slices";
                SqlError::new(SqlState::DATATYPE_MISMATCH, message)
            }
            _ => no_function(self.name, given),
        };
        let required = self.parameters.len() - self.optional;
        if !(required..=self.parameters.len()).contains(&given.len()) {
            return Err(wrong());
        }
        let mut element = None;
        for (given, kind) in given.iter().zip(self.parameters) {
            let found = match (kind, given) {
                (Kind::Array, Some(given)) => given.element().ok_or_else(wrong)?,
                (Kind::Element, Some(SqlType::Array(_))) => return Err(several_dimensions()),
                (Kind::Element, Some(given)) => *given,
                _ => continue,
            };
            element = Some(match element {
                None => found,
                Some(before) if self.converts => result_type(before, found).ok_or_else(wrong)?,
                Some(before) => same_type(before, found).ok_or_else(wrong)?,
            });
        }
        // Texts that are cast count as literals too.
        let open = self.parameters.contains(&Kind::Element).then_some(SqlType::Text);
        Ok(element.or(open))
    }

    /// The types of the parameters, and of the result, if elements are of this type.
    fn type_of(&self, kind: Kind, element: Option<SqlType>) -> springtide_types::Result<SqlType> {
        let undetermined = || {
            let message = "could not determine polymorphic type because input has type unknown";
            SqlError::new(SqlState::DATATYPE_MISMATCH, message)
        };
        match kind {
            Kind::Array => element.and_then(SqlType::array).ok_or_else(undetermined),
            Kind::Element => element.ok_or_else(undetermined),
            Kind::One(sql_type) => Ok(sql_type),
            Kind::Numbers => SqlType::Int4.array().ok_or_else(undetermined),
            Kind::Texts => SqlType::Text.array().ok_or_else(undetermined),
        }
    }
}

/// The error for arrays of arrays.
pub(crate) fn several_dimensions() -> SqlError {
    SqlError::unsupported("an array of several dimensions")
}

/// The call with its arguments in the types that it takes, if it is one of a function of arrays.
pub(crate) fn decide_array(call: &ScalarFunction, schema: &DFSchema) -> Result<Option<ScalarFunction>> {
    let Some(polymorphic) = call.func.inner().as_ref().downcast_ref::<Polymorphic>() else { return Ok(None) };
    let function = polymorphic.function;
    let types = call.args.iter().map(|arg| known_type(arg, schema)).collect::<Result<Vec<_>>>()?;
    let element = function.element(&types).map_err(external)?;
    let args = call.args.iter().zip(&types).zip(function.parameters).map(|((arg, given), kind)| {
        let wanted = function.type_of(*kind, element).map_err(external)?;
        if let (Some(given), Kind::One(_) | Kind::Numbers | Kind::Texts) = (given, kind)
            && result_type(*given, wanted) != Some(wanted)
        {
            return Err(external(no_function(function.name, &types)));
        }
        as_type(arg.clone(), wanted, schema)
    });
    Ok(Some(ScalarFunction::new_udf(call.func.clone(), args.collect::<Result<Vec<Expr>>>()?)))
}

/// The function as DataFusion calls it.
#[derive(Debug)]
pub(super) struct Polymorphic {
    function: &'static ArrayFunction,
    signature: Signature,
}

impl Polymorphic {
    pub(super) fn udf(function: &'static ArrayFunction) -> Arc<ScalarUDF> {
        let any = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        let signature = Signature::new(any, Volatility::Immutable);
        Arc::new(ScalarUDF::from(Polymorphic { function, signature }))
    }

    fn result(&self, given: &[Option<SqlType>]) -> Result<DataType> {
        let element = self.function.element(given).map_err(external)?;
        let gives = self.function.type_of(self.function.gives, element).map_err(external)?;
        Ok(gives.arrow())
    }
}

impl PartialEq for Polymorphic {
    fn eq(&self, other: &Polymorphic) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Polymorphic {}

impl Hash for Polymorphic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for Polymorphic {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.result(&known_types(types))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.function.name, self.result(&argument_types(&args))?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let gives = args.return_field.data_type();
        // The optimizer asks what becomes of NULLs without a type.
        if args.args.iter().any(|arg| arg.data_type().is_null()) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(gives)?));
        }
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(Column::new).collect::<Result<_>>()?;
        let args = Args { columns, rows, strict: self.function.strict };
        let values = (self.function.run)(&args).map_err(external)?;
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
        } else {
            ColumnarValue::Array(values)
        })
    }

    fn is_strict(&self) -> bool {
        self.function.strict
    }
}

/// An argument: a value per row, or one for all.
pub(super) struct Column {
    pub values: ArrayRef,
    constant: bool,
}

impl Column {
    fn new(value: &ColumnarValue) -> Result<Column> {
        Ok(match value {
            ColumnarValue::Array(values) => Column { values: values.clone(), constant: false },
            ColumnarValue::Scalar(value) => Column { values: value.to_array()?, constant: true },
        })
    }

    /// Where the value of a row is among the values; `None` for NULL.
    pub(super) fn at(&self, row: usize) -> Option<usize> {
        let position = if self.constant { 0 } else { row };
        self.values.is_valid(position).then_some(position)
    }

    /// The value's position, NULL or not.
    pub(super) fn position(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    pub(super) fn lists(&self) -> &ListArray {
        self.values.as_list()
    }

    pub(super) fn number(&self, row: usize) -> Option<i32> {
        self.at(row).map(|at| self.values.as_primitive::<Int32Type>().value(at))
    }

    pub(super) fn text(&self, row: usize) -> Option<&str> {
        let texts: &StringArray = self.values.as_string();
        self.at(row).map(|at| texts.value(at))
    }
}

/// The arguments of a call, in the types of the parameters.
pub(super) struct Args {
    columns: Vec<Column>,
    pub rows: usize,
    strict: bool,
}

impl Args {
    pub(super) fn column(&self, position: usize) -> &Column {
        &self.columns[position]
    }

    /// The argument, if it is given.
    pub(super) fn optional(&self, position: usize) -> Option<&Column> {
        self.columns.get(position)
    }

    /// What `value` makes of each row; NULL where a strict function has a NULL.
    pub(super) fn each<T, A: FromIterator<Option<T>>>(
        &self,
        value: impl Fn(usize) -> springtide_types::Result<Option<T>>,
    ) -> springtide_types::Result<A> {
        (0..self.rows).map(|row| if self.is_null(row) { Ok(None) } else { value(row) }).collect()
    }

    /// Whether a strict function gives NULL for the row.
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.strict && self.columns.iter().any(|column| column.at(row).is_none())
    }
}
