use super::*;

#[test]
fn rows_and_columns() {
    plan("select a, b + 1 as c from t where s = 'x'", "");
}
