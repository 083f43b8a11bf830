use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use springtide_catalog::Function;
use springtide_types::{SqlError, SqlType};

use crate::errors::external;
use crate::overload::choose;

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
        let parameters =
            self.candidates.iter().map(|function| function.types().collect()).collect::<Vec<_>>();
        choose(&self.name, &parameters, types).map(|at| &self.candidates[at])
    }
}

/// The call with one more condition without which its result does not count; `None` if it is no call.
pub(crate) fn conditional_call(function: &ScalarFunction, condition: &Expr) -> Option<Expr> {
    let mut call = Call::of(function)?.clone();
    call.conditions += 1;
    let arguments = function.args.iter().chain([condition]).cloned().collect();
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(call)), arguments)))
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
