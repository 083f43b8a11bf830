//! What a path leads to.

use std::ops::ControlFlow;

use bigdecimal::BigDecimal;
use serde_json::Value;
use springtide_types::{SqlError, SqlState};

use super::ast::{Expr, Head, JsonPath, LAST, Predicate, Step};
use super::failure::{
    ARRAY_NOT_FOUND, Failure, INVALID_SUBSCRIPT, MEMBER_NOT_FOUND, NOT_SINGLE, NUMBER_NOT_FOUND,
    OBJECT_NOT_FOUND, Outcome, failure, fatal,
};
use super::item::Item;
use super::number::{calculate, truncated};

/// The values of variables, by name.
pub(crate) type Variables<'a> = Vec<(&'a str, Item<'a>)>;

/// Where results go, one after the other; it says when there are enough.
pub(super) type Sink<'s, 'a> = &'s mut dyn FnMut(Item<'a>) -> ControlFlow<()>;

/// How a path is followed through a document.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    pub(super) path: &'a JsonPath,
    pub(super) root: &'a Value,
    variables: &'a Variables<'a>,
    /// Whether what needs a time zone may have that of the session.
    pub(super) zoned: bool,
}

/// What is around an expression.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    /// `@`
    current: Item<'a>,
    /// The length of the innermost array that is subscripted.
    length: Option<usize>,
    /// Whether members and elements that are not there are passed over.
    forgiving: bool,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(
        path: &'a JsonPath,
        root: &'a Value,
        variables: &'a Variables<'a>,
        zoned: bool,
    ) -> Evaluation<'a> {
        Evaluation { path, root, variables, zoned }
    }

    /// All results. Those before a failure come too.
    pub(crate) fn all(&self) -> (Vec<Item<'a>>, Option<Failure>) {
        let mut found = Vec::new();
        let outcome = self.expr(&self.path.root, &self.start(), &mut |item| {
            found.push(item);
            ControlFlow::Continue(())
        });
        (found, outcome.err())
    }

    /// Whether there is a result.
    pub(crate) fn exists(&self) -> Outcome<bool> {
        self.any(&self.path.root, &self.start())
    }

    fn start(&self) -> Scope<'a> {
        Scope { current: Item::of(self.root), length: None, forgiving: self.path.lax }
    }

    /// Whether an expression has a result. A strict path is followed to its end all the same.
    pub(super) fn any(&self, expr: &'a Expr, scope: &Scope<'a>) -> Outcome<bool> {
        let mut found = false;
        let lax = self.path.lax;
        if let Head::Plus(operand) | Head::Minus(operand) = &expr.head
            && expr.steps.is_empty()
            && lax
        {
            // What has no sign is passed over where only one number is wanted.
            return Ok(self.unwrapped(operand, scope)?.iter().any(|item| item.as_number().is_some()));
        }
        let _ = self.expr(expr, scope, &mut |_| {
            found = true;
            if lax { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }

    /// The results of an expression, arrays among them by their elements in a lax path.
    pub(super) fn unwrapped(&self, expr: &'a Expr, scope: &Scope<'a>) -> Outcome<Vec<Item<'a>>> {
        let mut found = Vec::new();
        let lax = self.path.lax;
        let _ = self.expr(expr, scope, &mut |item| {
            match item.elements() {
                Some(elements) if lax => found.extend(elements),
                _ => found.push(item),
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    pub(super) fn results(&self, expr: &'a Expr, scope: &Scope<'a>) -> Outcome<Vec<Item<'a>>> {
        let mut found = Vec::new();
        let _ = self.expr(expr, scope, &mut |item| {
            found.push(item);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    pub(super) fn expr(
        &self,
        expr: &'a Expr,
        scope: &Scope<'a>,
        sink: Sink<'_, 'a>,
    ) -> Outcome<ControlFlow<()>> {
        let steps = &expr.steps;
        let item = match &expr.head {
            Head::Root => Item::of(self.root),
            Head::Current => scope.current.clone(),
            Head::Last => {
                let length = scope.length.unwrap_or_default() as i64;
                Item::owned(Value::from(length - 1))
            }
            Head::Variable(name) => self.variable(name)?,
            Head::Null => Item::owned(Value::Null),
            Head::Bool(value) => Item::owned(Value::Bool(*value)),
            Head::Number(number) => Item::number(number),
            Head::Text(text) => Item::owned(Value::String(text.clone())),
            Head::Binary(op, left, right) => {
                let left = self.operand(left, scope, "left", op.symbol())?;
                let right = self.operand(right, scope, "right", op.symbol())?;
                let result = calculate(*op, &left, &right);
                Item::number(&result.ok_or_else(|| failure("22012", "division by zero"))?)
            }
            Head::Plus(operand) => return self.signed(operand, false, steps, scope, sink),
            Head::Minus(operand) => return self.signed(operand, true, steps, scope, sink),
            Head::Predicate(predicate) => {
                let holds = self.holds(predicate, scope)?;
                Item::owned(holds.map_or(Value::Null, Value::Bool))
            }
        };
        self.steps(steps, item, self.path.lax, scope, sink)
    }

    fn operand(&self, expr: &'a Expr, scope: &Scope<'a>, side: &str, symbol: char) -> Outcome<BigDecimal> {
        let found = self.unwrapped(expr, scope)?;
        let number = match found.as_slice() {
            [item] => item.as_number(),
            _ => None,
        };
        number.ok_or_else(|| {
            let message =
                format!("{side} operand of jsonpath operator {symbol} is not a single numeric value");
            failure(NOT_SINGLE, message)
        })
    }

    fn signed(
        &self,
        operand: &'a Expr,
        negative: bool,
        steps: &'a [Step],
        scope: &Scope<'a>,
        sink: Sink<'_, 'a>,
    ) -> Outcome<ControlFlow<()>> {
        for item in self.unwrapped(operand, scope)? {
            let number = item.as_number().ok_or_else(|| {
                let symbol = if negative { '-' } else { '+' };
                let message = format!("operand of unary jsonpath operator {symbol} is not a numeric value");
                failure(NUMBER_NOT_FOUND, message)
            })?;
            let item = Item::number(&if negative { -number } else { number });
            if self.steps(steps, item, self.path.lax, scope, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn variable(&self, name: &str) -> Outcome<Item<'a>> {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, item)| item.clone()).ok_or_else(|| {
            let message = format!("could not find jsonpath variable \"{name}\"");
            fatal(SqlError::new(SqlState::UNDEFINED_OBJECT, message))
        })
    }

    /// What the steps lead to from an item. The first one goes into the elements of an array where it wants no array, if `unwrap`.
    pub(super) fn steps(
        &self,
        steps: &'a [Step],
        item: Item<'a>,
        unwrap: bool,
        scope: &Scope<'a>,
        sink: Sink<'_, 'a>,
    ) -> Outcome<ControlFlow<()>> {
        let Some((step, rest)) = steps.split_first() else { return Ok(sink(item)) };
        let lax = self.path.lax;
        let forgiving = scope.forgiving;
        match step {
            Step::Key(key) => match item.member(key) {
                Some(value) => return self.steps(rest, value, lax, scope, sink),
                None if item.is_object() && forgiving => {}
                None if item.is_object() => {
                    let message = format!("JSON object does not contain key \"{key}\"");
                    return Err(failure(MEMBER_NOT_FOUND, message));
                }
                None if unwrap && item.is_array() => {
                    return self.step_into_elements(steps, &item, scope, sink);
                }
                None if forgiving => {}
                None => {
                    let message = "jsonpath member accessor can only be applied to an object";
                    return Err(failure(MEMBER_NOT_FOUND, message));
                }
            },
            Step::AnyKey if item.is_object() => return self.each(rest, item.children(), lax, scope, sink),
            Step::AnyKey if unwrap && item.is_array() => {
                return self.step_into_elements(steps, &item, scope, sink);
            }
            Step::AnyKey if forgiving => {}
            Step::AnyKey => {
                let message = "jsonpath wildcard member accessor can only be applied to an object";
                return Err(failure(OBJECT_NOT_FOUND, message));
            }
            Step::AnyElement if item.is_array() => return self.each(rest, item.elements(), lax, scope, sink),
            Step::AnyElement if lax => return self.steps(rest, item, lax, scope, sink),
            Step::AnyElement if forgiving => {}
            Step::AnyElement => {
                let message = "jsonpath wildcard array accessor can only be applied to an array";
                return Err(failure(ARRAY_NOT_FOUND, message));
            }
            Step::Elements(ranges) if item.is_array() || lax => {
                return self.subscripted(ranges, rest, item, scope, sink);
            }
            Step::Elements(_) if forgiving => {}
            Step::Elements(_) => {
                let message = "jsonpath array accessor can only be applied to an array";
                return Err(failure(ARRAY_NOT_FOUND, message));
            }
            Step::Anywhere(first, last) => {
                let scope = Scope { forgiving: true, ..scope.clone() };
                if *first == 0 && self.steps(rest, item.clone(), lax, &scope, sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                return self.anywhere(rest, &item, (1, *first, *last), &scope, sink);
            }
            Step::Filter(_) if unwrap && item.is_array() => {
                return self.step_into_elements(steps, &item, scope, sink);
            }
            Step::Filter(predicate) => {
                let inside = Scope { current: item.clone(), ..scope.clone() };
                if self.holds(predicate, &inside)? == Some(true) {
                    return self.steps(rest, item, lax, scope, sink);
                }
            }
            Step::Method(method) if unwrap && item.is_array() && method.takes_elements() => {
                return self.step_into_elements(steps, &item, scope, sink);
            }
            Step::Method(method) => {
                for result in self.method(method, item, forgiving)? {
                    if self.steps(rest, result, lax, scope, sink)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The steps from each element of an array, of which none is unwrapped once more.
    fn step_into_elements(
        &self,
        steps: &'a [Step],
        array: &Item<'a>,
        scope: &Scope<'a>,
        sink: Sink<'_, 'a>,
    ) -> Outcome<ControlFlow<()>> {
        self.each(steps, array.elements(), false, scope, sink)
    }

    fn each(
        &self,
        steps: &'a [Step],
        items: Option<Vec<Item<'a>>>,
        unwrap: bool,
        scope: &Scope<'a>,
        sink: Sink<'_, 'a>,
    ) -> Outcome<ControlFlow<()>> {
        for item in items.unwrap_or_default() {
            if self.steps(steps, item, unwrap, scope, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn anywhere(
        &self,
        steps: &'a [Step],
        item: &Item<'a>,
        levels @ (level, first, last): (u32, u32, u32),
        scope: &Scope<'a>,
        sink: Sink<'_, 'a>,
    ) -> Outcome<ControlFlow<()>> {
        if level > last {
            return Ok(ControlFlow::Continue(()));
        }
        for child in item.children().unwrap_or_default() {
            let is_leaf = !child.is_container();
            if (level >= first || ((first, last) == (LAST, LAST) && is_leaf))
                && self.steps(steps, child.clone(), self.path.lax, scope, sink)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            let deeper = (level + 1, levels.1, levels.2);
            if !is_leaf && self.anywhere(steps, &child, deeper, scope, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn subscripted(
        &self,
        ranges: &'a [(Expr, Option<Expr>)],
        rest: &'a [Step],
        item: Item<'a>,
        scope: &Scope<'a>,
        sink: Sink<'_, 'a>,
    ) -> Outcome<ControlFlow<()>> {
        let elements = item.elements().unwrap_or_else(|| vec![item.clone()]);
        let inside = Scope { length: Some(elements.len()), ..scope.clone() };
        for (first, last) in ranges {
            let first = self.index(first, &inside)?;
            let last = last.as_ref().map_or(Ok(first), |last| self.index(last, &inside))?;
            let length = elements.len() as i64;
            if !scope.forgiving && (first < 0 || first > last || last >= length) {
                return Err(failure(INVALID_SUBSCRIPT, "jsonpath array subscript is out of bounds"));
            }
            for at in first.max(0)..=last.min(length - 1) {
                let element = elements[at as usize].clone();
                if self.steps(rest, element, self.path.lax, scope, sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn index(&self, expr: &'a Expr, scope: &Scope<'a>) -> Outcome<i64> {
        let found = self.results(expr, scope)?;
        let number = match found.as_slice() {
            [item] => item.as_number(),
            _ => None,
        };
        let number = number.ok_or_else(|| {
            failure(INVALID_SUBSCRIPT, "jsonpath array subscript is not a single numeric value")
        })?;
        let index = truncated(&number).filter(|index| i32::try_from(*index).is_ok());
        index.ok_or_else(|| failure(INVALID_SUBSCRIPT, "jsonpath array subscript is out of integer range"))
    }

    /// Whether a predicate holds; `None` if that is unknown.
    pub(super) fn holds(&self, predicate: &'a Predicate, scope: &Scope<'a>) -> Outcome<Option<bool>> {
        super::predicate::holds(self, predicate, scope)
    }
}
