//! Trigonometry in degrees, exact at the multiples of 30 and 45 as PostgreSQL's is.

use std::sync::LazyLock;

const RADIANS: f64 = 0.017_453_292_519_943_295;

static SIN_30: LazyLock<f64> = LazyLock::new(|| (30.0 * RADIANS).sin());
static ONE_MINUS_COS_60: LazyLock<f64> = LazyLock::new(|| 1.0 - (60.0 * RADIANS).cos());
static ASIN_HALF: LazyLock<f64> = LazyLock::new(|| 0.5_f64.asin());
static ACOS_HALF: LazyLock<f64> = LazyLock::new(|| 0.5_f64.acos());
static ATAN_ONE: LazyLock<f64> = LazyLock::new(|| 1.0_f64.atan());
static TAN_45: LazyLock<f64> = LazyLock::new(|| sin_of_quadrant(45.0) / cos_of_quadrant(45.0));
static COT_45: LazyLock<f64> = LazyLock::new(|| cos_of_quadrant(45.0) / sin_of_quadrant(45.0));

/// Of 0 to 30 degrees.
fn small_sin(x: f64) -> f64 {
    (x * RADIANS).sin() / *SIN_30 / 2.0
}

/// Of 0 to 60 degrees.
fn small_cos(x: f64) -> f64 {
    1.0 - (1.0 - (x * RADIANS).cos()) / *ONE_MINUS_COS_60 / 2.0
}

fn sin_of_quadrant(x: f64) -> f64 {
    if x <= 30.0 { small_sin(x) } else { small_cos(90.0 - x) }
}

fn cos_of_quadrant(x: f64) -> f64 {
    if x <= 60.0 { small_cos(x) } else { small_sin(90.0 - x) }
}

/// The angle of the first quadrant that another is the reflection of, and whether that was reflected at 0, at 180 and at 90
/// degrees.
fn reflected(x: f64) -> (f64, [bool; 3]) {
    let mut angle = x % 360.0;
    let negative = angle < 0.0;
    if negative {
        angle = -angle;
    }
    let below = angle > 180.0;
    if below {
        angle = 360.0 - angle;
    }
    let left = angle > 90.0;
    if left {
        angle = 180.0 - angle;
    }
    (angle, [negative, below, left])
}

fn signed(value: f64, negative: bool) -> f64 {
    if negative { -value } else { value }
}

pub(super) fn sin(x: f64) -> f64 {
    let (angle, [negative, below, _]) = reflected(x);
    signed(sin_of_quadrant(angle), negative != below)
}

pub(super) fn cos(x: f64) -> f64 {
    let (angle, [_, _, left]) = reflected(x);
    signed(cos_of_quadrant(angle), left)
}

pub(super) fn tan(x: f64) -> f64 {
    let (angle, [negative, below, left]) = reflected(x);
    let tan = sin_of_quadrant(angle) / cos_of_quadrant(angle) / *TAN_45;
    without_negative_zero(signed(tan, negative ^ below ^ left))
}

pub(super) fn cot(x: f64) -> f64 {
    let (angle, [negative, below, left]) = reflected(x);
    let cot = cos_of_quadrant(angle) / sin_of_quadrant(angle) / *COT_45;
    without_negative_zero(signed(cot, negative ^ below ^ left))
}

fn without_negative_zero(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x }
}

fn positive_asin(x: f64) -> f64 {
    if x <= 0.5 { x.asin() / *ASIN_HALF * 30.0 } else { 90.0 - x.acos() / *ACOS_HALF * 60.0 }
}

pub(super) fn asin(x: f64) -> f64 {
    if x >= 0.0 { positive_asin(x) } else { -positive_asin(-x) }
}

pub(super) fn acos(x: f64) -> f64 {
    match x {
        x if x < 0.0 => 90.0 + positive_asin(-x),
        x if x <= 0.5 => 90.0 - x.asin() / *ASIN_HALF * 30.0,
        x => x.acos() / *ACOS_HALF * 60.0,
    }
}

pub(super) fn atan(x: f64) -> f64 {
    x.atan() / *ATAN_ONE * 45.0
}

pub(super) fn atan2(y: f64, x: f64) -> f64 {
    y.atan2(x) / *ATAN_ONE * 45.0
}
