use std::cmp::Reverse;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use springtide_catalog::Function;
use springtide_types::{SqlError, SqlState, SqlType};

use crate::convert::{Family, family};
use crate::errors::external;
use crate::operators::describe;

/// What stands for a call of a user's function until the body of the function does. Which of the functions
/// of that name it is depends on the types of the arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    name: String,
    candidates: Vec<Arc<Function>>,
    /// How many arguments follow those of the function: conditions without which the result does not count.
    conditions: usize,
    signature: Signature,
}

impl Call {
    /// A call of one of `candidates`. Without any, it is an error that names the types of the arguments.
    pub(crate) fn udf(name: &str, candidates: Vec<Arc<Function>>) -> Arc<ScalarUDF> {
        let any = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        let mut signature = Signature::new(any, Volatility::Immutable);
        if let [function] = candidates.as_slice() {
            let names = function.parameters.iter().map(|parameter| parameter.name.clone());
            signature.parameter_names = names.collect();
        }
        Arc::new(ScalarUDF::from(Call { name: name.to_owned(), candidates, conditions: 0, signature }))
    }

    /// The call that a function stands for, if it stands for one.
    pub(super) fn of(function: &ScalarFunction) -> Option<&Call> {
        function.func.inner().as_ref().downcast_ref::<Call>()
    }

    /// Takes the conditions from the end of the arguments.
    pub(super) fn split_conditions(&self, arguments: &mut Vec<Expr>) -> Vec<Expr> {
        arguments.split_off(arguments.len() - self.conditions)
    }

    /// The function that PostgreSQL picks for arguments of these types, of which open ones fit every type.
    pub(super) fn choose(&self, types: &[Option<SqlType>]) -> springtide_types::Result<&Arc<Function>> {
        let fits = |function: &&Arc<Function>| {
            let mut pairs = types.iter().zip(function.types());
            function.parameters.len() == types.len()
                && pairs.all(|(given, declared)| given.is_none_or(|given| implicit(given, declared)))
        };
        let mut fitting = self.candidates.iter().filter(fits).collect::<Vec<_>>();
        fitting.sort_by_key(|function| Reverse(closeness(function, types)));
        match fitting.as_slice() {
            [] => Err(self.error(SqlState::UNDEFINED_FUNCTION, types)),
            [best, next, ..] if closeness(best, types) == closeness(next, types) => {
                Err(self.error(SqlState::AMBIGUOUS_FUNCTION, types))
            }
            [best, ..] => Ok(best),
        }
    }

    fn error(&self, state: SqlState, types: &[Option<SqlType>]) -> SqlError {
        let types = types.iter().map(|sql_type| describe(*sql_type)).collect::<Vec<_>>().join(", ");
        let (what, why) = match state {
            SqlState::AMBIGUOUS_FUNCTION => ("is not unique", "Could not choose a best candidate function."),
            _ => ("does not exist", "No function matches the given name and argument types."),
        };
        SqlError::new(state, format!("function {}({types}) {what}", self.name))
            .with_hint(format!("{why} You might need to add explicit type casts."))
    }
}

/// The call with one more condition without which its result does not count; `None` if it is no call.
pub(crate) fn conditional_call(function: &ScalarFunction, condition: &Expr) -> Option<Expr> {
    let mut call = Call::of(function)?.clone();
    call.conditions += 1;
    let arguments = function.args.iter().chain([condition]).cloned().collect();
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(call)), arguments)))
}

/// How well the parameters of a function fit: those that need no conversion, then those of the type that
/// its family prefers, then those of text where the argument is open.
fn closeness(function: &Function, types: &[Option<SqlType>]) -> (usize, usize, usize) {
    let pairs = || types.iter().zip(function.types());
    let exact = |(given, declared): &(&Option<SqlType>, SqlType)| {
        given.is_some_and(|given| unlimited(given) == unlimited(*declared))
    };
    let preferred = |(given, declared): &(&Option<SqlType>, SqlType)| {
        use SqlType::{Boolean, Float8, Interval, Text, Timestamptz};
        given.is_some() && matches!(declared, Boolean | Float8 | Interval | Text | Timestamptz)
    };
    let text = |(given, declared): &(&Option<SqlType>, SqlType)| {
        given.is_none() && family(*declared) == Family::Text
    };
    let close = pairs().filter(|pair| exact(pair) || preferred(pair)).count();
    (pairs().filter(exact).count(), close, pairs().filter(text).count())
}

/// The type as overloads tell it from others: without length or precision, and texts as one.
fn unlimited(sql_type: SqlType) -> SqlType {
    match sql_type {
        SqlType::Varchar(_) => SqlType::Text,
        other => other.unconstrained(),
    }
}

/// Whether PostgreSQL converts without being asked to.
fn implicit(from: SqlType, to: SqlType) -> bool {
    use SqlType::{Date, Float4, Float8, Int2, Int4, Int8, Numeric, Timestamp, Timestamptz};
    let rank = |sql_type| match sql_type {
        Int2 | Date => 0,
        Int4 | Timestamp => 1,
        Int8 | Timestamptz => 2,
        Numeric(..) => 3,
        Float4 => 4,
        Float8 => 5,
        _ => 0,
    };
    family(from) == family(to) && rank(from) <= rank(to)
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let types = types.iter().map(SqlType::from_arrow).collect::<Vec<_>>();
        let types = &types[..types.len() - self.conditions];
        self.choose(types).map(|function| function.returns.arrow()).map_err(external)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let given = args.arg_fields.len() - self.conditions;
        let types = args.arg_fields.iter().zip(args.scalar_arguments).take(given);
        let types = types.map(|(field, constant)| match constant {
            // The type of a string literal is open.
            Some(ScalarValue::Utf8(_)) => None,
            _ if field.data_type().is_null() => None,
            _ => SqlType::from_arrow(field.data_type()),
        });
        let function = self.choose(&types.collect::<Vec<_>>()).map_err(external)?;
        Ok(Arc::new(Field::new(&self.name, function.returns.arrow(), true)))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let what = format!("a call of function {} in this place", self.name);
        Err(external(SqlError::unsupported(what)))
    }
}
