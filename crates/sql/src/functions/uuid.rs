//! Functions that make a `uuid`, or say what one was made of.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, Int16Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlType, UUID_BYTES};
use uuid::{Uuid, Variant as Variants};

use super::typed::{Args, Gives, Typed, Variant, variant};

const VERSION: &[Variant] = &[variant(&[SqlType::Uuid], Gives::One(SqlType::Int2), version)];
const TIMESTAMP: &[Variant] = &[variant(&[SqlType::Uuid], Gives::One(SqlType::Timestamptz), timestamp)];

pub(super) fn functions() -> [Arc<ScalarUDF>; 3] {
    let aliases = vec!["uuidv4".to_owned()];
    let random = RandomUuid { aliases, signature: Signature::nullary(Volatility::Volatile) };
    [
        Arc::new(ScalarUDF::from(random)),
        Typed::udf("uuid_extract_version", VERSION),
        Typed::udf("uuid_extract_timestamp", TIMESTAMP),
    ]
}

/// What each is, for those in the form that has versions.
fn each<T>(
    args: &Args<'_>,
    of: impl Fn(Uuid) -> Option<T>,
) -> Result<impl Iterator<Item = Option<T>>, SqlError> {
    let values = args.array(0)?.as_fixed_size_binary().clone();
    Ok((0..args.rows).map(move |row| {
        let value = values.is_valid(row).then(|| Uuid::from_slice(values.value(row)).ok()).flatten()?;
        of(value).filter(|_| value.get_variant() == Variants::RFC4122)
    }))
}

fn version(args: &Args<'_>) -> Result<ArrayRef, SqlError> {
    Ok(Arc::new(each(args, |uuid| Some(uuid.get_version_num() as i16))?.collect::<Int16Array>()))
}

/// When a `uuid` of version 1 or 7 was made.
fn timestamp(args: &Args<'_>) -> Result<ArrayRef, SqlError> {
    /// From the beginning of the Gregorian calendar to 1970, in microseconds.
    const SINCE_GREGORIAN: i64 = 12_219_292_800_000_000;
    let micros = |uuid: Uuid| {
        let (low, middle, high, _) = uuid.as_fields();
        match uuid.get_version_num() {
            1 => {
                let tenths = i64::from(high & 0xfff) << 48 | i64::from(middle) << 32 | i64::from(low);
                Some(tenths / 10 - SINCE_GREGORIAN)
            }
            7 => Some((i64::from(low) << 16 | i64::from(middle)) * 1000),
            _ => None,
        }
    };
    let moments = each(args, micros)?.collect::<TimestampMicrosecondArray>();
    Ok(Arc::new(moments.with_timezone("+00:00")))
}

/// A `uuid` of version 4 for each row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RandomUuid {
    aliases: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for RandomUuid {
    fn name(&self) -> &str {
        "gen_random_uuid"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(SqlType::Uuid.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut uuids = FixedSizeBinaryBuilder::with_capacity(args.number_rows, UUID_BYTES);
        for _ in 0..args.number_rows {
            uuids.append_value(Uuid::new_v4().as_bytes())?;
        }
        Ok(ColumnarValue::Array(Arc::new(uuids.finish())))
    }
}
