//! How a session writes and reads moments, on its way to the functions that do so.
//!
//! What runs in the thread of a statement finds the style there ([`springtide_datetime::within`]). What DataFusion runs
//! elsewhere finds it among the options of the plan.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{Result, config_err};
use datafusion::logical_expr::ScalarFunctionArgs;
use springtide_datetime::{Style, current, within};

/// A style among the options of a plan.
#[derive(Clone, Debug)]
struct PlanStyle(Arc<Style>);

impl ConfigExtension for PlanStyle {
    const PREFIX: &'static str = "springtide";
}

impl ExtensionOptions for PlanStyle {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _value: &str) -> Result<()> {
        config_err!("{key} is not set by name")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// Lets what runs by these options do so in the style of this thread.
pub(crate) fn keep_style(options: &mut ConfigOptions) {
    options.extensions.insert(PlanStyle(current()));
}

/// Runs a function in the style that it is called in.
pub(crate) fn in_style<T>(args: &ScalarFunctionArgs, run: impl FnOnce() -> T) -> T {
    match args.config_options.extensions.get::<PlanStyle>() {
        Some(style) => within(&style.0, run),
        None => run(),
    }
}
