use springtide_sql::sqlparser::ast::{
    AnalyzeFormat, AnalyzeFormatKind, Expr, UtilityOption, Value, ValueWithSpan,
};
use springtide_types::{Result, SqlError, SqlState};

/// What EXPLAIN is asked for. The other options of PostgreSQL are read, and change nothing.
#[derive(Debug)]
pub(in crate::statement) struct Options {
    pub(super) analyze: bool,
    pub(super) json: bool,
    /// Whether times are shown, with ANALYZE.
    pub(super) timing: bool,
    /// Whether the times of the whole are shown, with ANALYZE.
    pub(super) summary: bool,
}

impl Options {
    pub(in crate::statement) fn new(
        analyze: bool,
        format: Option<&AnalyzeFormatKind>,
        given: &[UtilityOption],
    ) -> Result<Options> {
        let mut options = Options { analyze, json: false, timing: true, summary: true };
        if let Some(AnalyzeFormatKind::Keyword(format) | AnalyzeFormatKind::Assignment(format)) = format {
            options.json = *format == AnalyzeFormat::JSON;
        }
        for option in given {
            options.take(option)?;
        }
        Ok(options)
    }

    fn take(&mut self, option: &UtilityOption) -> Result<()> {
        let name = option.name.value.to_lowercase();
        match name.as_str() {
            "analyze" => self.analyze = boolean(&name, option)?,
            "timing" => self.timing = boolean(&name, option)?,
            "summary" => self.summary = boolean(&name, option)?,
            "format" => match word(option).as_deref() {
                Some("json") => self.json = true,
                Some("text") => self.json = false,
                Some(other @ ("xml" | "yaml")) => {
                    return Err(SqlError::unsupported(format!("EXPLAIN (FORMAT {other})")));
                }
                other => {
                    let other = other.unwrap_or_default();
                    let message = format!("unrecognized value for EXPLAIN option \"format\": \"{other}\"");
                    return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
            },
            "verbose" | "costs" | "settings" | "buffers" | "wal" => {
                boolean(&name, option)?;
            }
            other => {
                let message = format!("unrecognized EXPLAIN option \"{other}\"");
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
            }
        }
        Ok(())
    }

    /// Fails unless the plan of a view can be shown like this.
    pub(super) fn check_of_view(&self) -> Result<()> {
        if self.analyze || self.json {
            return Err(SqlError::unsupported("EXPLAIN ANALYZE or FORMAT JSON of CREATE MATERIALIZED VIEW"));
        }
        Ok(())
    }
}

fn boolean(name: &str, option: &UtilityOption) -> Result<bool> {
    match word(option).as_deref() {
        None | Some("true" | "on" | "1") => Ok(true),
        Some("false" | "off" | "0") => Ok(false),
        Some(_) => {
            let message = format!("{name} requires a Boolean value");
            Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

/// The value of an option in lower case.
fn word(option: &UtilityOption) -> Option<String> {
    let text = match option.arg.as_ref()? {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => text.clone(),
        other => other.to_string(),
    };
    Some(text.to_lowercase())
}
