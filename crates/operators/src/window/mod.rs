mod extremes;
mod function;
mod operator;
mod peers;
mod scope;
mod sums;

pub use operator::WindowOperator;
