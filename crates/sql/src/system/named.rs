//! `regclass` and its like. They are no types here: an OID is a `bigint`, a name is a `text`, and a cast to one of
//! them turns the one into the other.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{Expr, Function, Value};
use springtide_catalog::system::{Facts, Named};

use crate::desugar::call;
use crate::errors::external;

/// The types, by the names that queries call them.
const TYPES: [(&str, Named); 6] = [
    ("regclass", Named::Class),
    ("regtype", Named::Type),
    ("regproc", Named::Function),
    ("regprocedure", Named::Function),
    ("regnamespace", Named::Schema),
    ("regrole", Named::Role),
];

/// What a cast gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// `x::regclass`: the OID of a name, the name of an OID.
    Other,
    /// `x::regclass::oid`
    Oid,
    /// `x::regclass::text`
    Name,
}

const FORMS: [(&str, Form); 3] = [("", Form::Other), ("_oid", Form::Oid), ("_name", Form::Name)];

/// Whether a type of this name is one of them.
pub(super) fn is_type(name: &str) -> bool {
    TYPES.iter().any(|(known, _)| *known == name)
}

/// The call that a cast to a type of this name stands for, if it is one of them.
pub(super) fn cast_to(type_name: &str, operand: Expr) -> Option<Expr> {
    is_type(type_name).then(|| call(&format!("${type_name}"), vec![operand]))
}

/// [`cast_to`], cast further to an OID or, if not, to a text.
pub(super) fn cast_further(function: &Function, to_oid: bool) -> Option<Expr> {
    let [name] = function.name.0.as_slice() else { return None };
    let name = name.as_ident()?.value.strip_prefix('$')?;
    TYPES.iter().find(|(known, _)| *known == name)?;
    let operand = crate::desugar::unnamed_arguments(function)?;
    let (suffix, _) = FORMS[if to_oid { 1 } else { 2 }];
    Some(call(&format!("${name}{suffix}"), operand))
}

/// The sides of a comparison as OIDs, if this one is cast to one of the types.
pub(super) fn oids_with(this: &Expr, other: &Expr) -> Option<(Expr, Expr)> {
    let Expr::Function(function) = this else { return None };
    let oid = cast_further(function, true)?;
    let known = match other {
        Expr::Function(function) => cast_further(function, true),
        Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)) => {
            let [name] = function.name.0.as_slice() else { return None };
            cast_to(name.as_ident()?.value.strip_prefix('$')?, other.clone())
        }
        _ => None,
    };
    Some((oid, known.unwrap_or_else(|| other.clone())))
}

/// The function of this name, still without the catalog.
pub(super) fn function(name: &str) -> Option<impl FnOnce(Facts) -> NamedFunction + use<>> {
    let name = name.strip_prefix('$')?;
    let (type_name, form) = match name.split_once('_') {
        Some((type_name, suffix)) => {
            let form = FORMS.iter().find(|(known, _)| known.strip_prefix('_') == Some(suffix))?;
            (type_name, form.1)
        }
        None => (name, Form::Other),
    };
    let named = TYPES.iter().find(|(known, _)| *known == type_name)?.1;
    let name = format!("${name}");
    Some(move |facts| {
        let signature = Signature::user_defined(Volatility::Stable);
        NamedFunction { name, named, form, facts, signature }
    })
}

#[derive(Debug)]
pub(super) struct NamedFunction {
    name: String,
    named: Named,
    form: Form,
    facts: Facts,
    signature: Signature,
}

impl PartialEq for NamedFunction {
    fn eq(&self, other: &NamedFunction) -> bool {
        self.name == other.name && self.facts.is_same(&other.facts)
    }
}

impl Eq for NamedFunction {}

impl Hash for NamedFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for NamedFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [oid] if oid.is_integer() => Ok(vec![DataType::Int64]),
            [DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View] => {
                Ok(vec![DataType::Utf8])
            }
            _ => plan_err!("cannot cast type to {}", self.name.trim_start_matches('$')),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let to_oid = match self.form {
            Form::Other => !given[0].is_integer(),
            Form::Oid => true,
            Form::Name => false,
        };
        Ok(if to_oid { DataType::Int64 } else { DataType::Utf8 })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = args.args[0].to_array(args.number_rows)?;
        let oids = match given.data_type() {
            DataType::Int64 => given.as_primitive::<Int64Type>().clone(),
            _ => {
                let names = given.as_string::<i32>().iter();
                let oid = |name: &str| self.named.oid(&self.facts.catalog, name).map_err(external);
                names.map(|name| name.map(oid).transpose()).collect::<Result<Int64Array>>()?
            }
        };
        if *args.return_field.data_type() == DataType::Int64 {
            return Ok(ColumnarValue::Array(Arc::new(oids)));
        }
        let names = oids.iter().map(|oid| oid.map(|oid| self.named.text(&self.facts.catalog, oid)));
        Ok(ColumnarValue::Array(Arc::new(names.collect::<StringArray>())))
    }
}
