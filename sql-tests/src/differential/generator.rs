use fastrand::Rng;

use super::shapes::{Form, Shape, Shapes, TYPES};
use super::values::texts;

/// Rows of the table that is read.
const ROWS: usize = 6;

/// Makes statements over two tables: `every`, of all types, and `kept`, with constraints.
pub(super) struct Generator<'a> {
    pub(super) shapes: &'a Shapes,
    pub(super) rng: Rng,
    /// The first shape of the statement that is being made, which is what it is about.
    subject: Option<String>,
}

/// A statement to be compared.
pub(super) struct Statement {
    pub(super) sql: String,
    /// What it is about: the function, operator or cast, with its arguments.
    pub(super) subject: String,
    /// Whether the order of the rows is said.
    pub(super) ordered: bool,
}

/// What has to be there before.
pub(super) fn tables() -> Vec<String> {
    let columns = TYPES.map(|name| format!("c_{name} {name}")).join(", ");
    let mut statements = vec![format!("CREATE TABLE every (id integer PRIMARY KEY, {columns})")];
    for row in 0..ROWS {
        let value = |name: &&str| match texts(name) {
            _ if row == ROWS - 1 => "NULL".to_owned(),
            texts => literal(texts[row % texts.len()], name),
        };
        let values = TYPES.iter().map(value).collect::<Vec<_>>().join(", ");
        statements.push(format!("INSERT INTO every VALUES ({row}, {values})"));
    }
    statements.push(
        "CREATE TABLE kept (id integer PRIMARY KEY, name varchar(8) UNIQUE, amount numeric(8, 2) NOT NULL DEFAULT 1.5,
            small smallint CHECK (small > 0), at timestamp, every_id integer REFERENCES every (id))"
            .to_owned(),
    );
    statements.push(
        "INSERT INTO kept VALUES (1, 'one', 1, 1, '2024-01-01', 1), (2, 'two', 2.345, NULL, NULL, NULL),
            (3, NULL, 0, 7, '2024-02-29 12:00', 2)"
            .to_owned(),
    );
    statements
}

impl<'a> Generator<'a> {
    pub(super) fn new(shapes: &'a Shapes, rng: Rng) -> Generator<'a> {
        Generator { shapes, rng, subject: None }
    }

    pub(super) fn statement(&mut self) -> Statement {
        self.subject = None;
        let (sql, ordered) = match self.rng.u8(..24) {
            0..10 => (self.of_rows(), true),
            10..13 => (self.aggregated(), true),
            13 => (self.filtered(), true),
            14 => (self.sorted(), true),
            15 | 16 => (self.windowed(), true),
            17 => (self.united(), false),
            18 => (self.joined(), false),
            19 => (self.inserted(), false),
            20 => (self.updated(), false),
            21 => (self.deleted(), false),
            _ => (self.untyped(), false),
        };
        let subject = self.subject.take().unwrap_or_else(|| "a statement".to_owned());
        Statement { sql, subject, ordered }
    }

    fn of_rows(&mut self) -> String {
        let value = self.any_value();
        let id = self.rng.usize(..ROWS);
        let row = if self.rng.bool() { format!("id = {id}") } else { format!("id <= {id}") };
        format!("SELECT id, {value} AS value FROM every WHERE {row} ORDER BY id")
    }

    fn aggregated(&mut self) -> String {
        let aggregate = self.aggregate();
        let filter = if self.rng.u8(..4) == 0 { " FILTER (WHERE id > 1)" } else { "" };
        match self.rng.u8(..3) {
            0 => format!("SELECT {aggregate}{filter} FROM every"),
            1 => format!("SELECT {aggregate}{filter} FROM every WHERE id > 100"),
            _ => format!("SELECT c_bool, {aggregate}{filter} FROM every GROUP BY c_bool ORDER BY c_bool"),
        }
    }

    fn filtered(&mut self) -> String {
        let condition = self.value("bool", 2);
        format!("SELECT id FROM every WHERE {condition} ORDER BY id")
    }

    fn sorted(&mut self) -> String {
        let key = self.any_value();
        let order = ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"][self.rng.usize(..4)];
        format!("SELECT id FROM every ORDER BY {key}{order}, id")
    }

    fn windowed(&mut self) -> String {
        let aggregate = self.aggregate();
        let partition = ["", "PARTITION BY c_bool ", "PARTITION BY id % 2 "][self.rng.usize(..3)];
        let frame = [
            "",
            " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
        ][self.rng.usize(..3)];
        format!("SELECT id, {aggregate} OVER ({partition}ORDER BY id{frame}) FROM every ORDER BY id")
    }

    fn united(&mut self) -> String {
        let (first, second) = (self.any_value(), self.any_value());
        let operator = ["UNION", "UNION ALL", "INTERSECT", "EXCEPT"][self.rng.usize(..4)];
        format!("SELECT {first} FROM every WHERE id < 3 {operator} SELECT {second} FROM every WHERE id < 2")
    }

    fn joined(&mut self) -> String {
        let (left, right) = (self.a_type(), self.a_type());
        let kind = ["JOIN", "LEFT JOIN", "FULL JOIN"][self.rng.usize(..3)];
        self.subject = Some(format!("join of {left} and {right}"));
        format!("SELECT a.id, b.id FROM every a {kind} every b ON a.c_{left} = b.c_{right}")
    }

    fn inserted(&mut self) -> String {
        let value = |generator: &mut Self, names: &[&str]| {
            let name = names[generator.rng.usize(..names.len())];
            if generator.rng.u8(..8) == 0 { "DEFAULT".to_owned() } else { generator.value(name, 1) }
        };
        let id = value(self, &["int4", "int8", "numeric", "text"]);
        let name = value(self, &["text", "varchar", "int4", "bpchar"]);
        let amount = value(self, &["numeric", "float8", "int8", "text"]);
        let small = value(self, &["int2", "int4", "numeric"]);
        let at = value(self, &["timestamp", "date", "timestamptz", "text", "time"]);
        let conflict = [
            "",
            "",
            " ON CONFLICT DO NOTHING",
            " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount + kept.amount",
        ][self.rng.usize(..4)];
        self.subject = Some("INSERT".to_owned());
        format!(
            "INSERT INTO kept (id, name, amount, small, at) VALUES ({id}, {name}, {amount}, {small}, {at}){conflict} RETURNING *"
        )
    }

    fn updated(&mut self) -> String {
        let (column, names): (&str, &[&str]) = [
            ("name", &["text", "varchar", "bpchar", "int4"][..]),
            ("amount", &["numeric", "int4", "float8"]),
            ("small", &["int2", "int4", "int8", "float4"]),
            ("at", &["timestamp", "date", "timestamptz"]),
            ("every_id", &["int4", "int2", "int8"]),
        ][self.rng.usize(..5)];
        let name = names[self.rng.usize(..names.len())];
        let value = self.value(name, 1);
        self.subject = Some(format!("UPDATE of {column} to {name}"));
        let from = ["", " FROM every WHERE every.id = kept.id", " WHERE amount > 1"][self.rng.usize(..3)];
        if from.starts_with(" FROM") {
            return format!("UPDATE kept SET {column} = {value}{from} RETURNING kept.*");
        }
        // Columns of the other table are not there.
        let value = format!("(SELECT {value} FROM every WHERE id = {})", self.rng.usize(..ROWS));
        format!("UPDATE kept SET {column} = {value}{from} RETURNING *")
    }

    fn deleted(&mut self) -> String {
        let condition = self.value("bool", 1);
        let table = if self.rng.bool() { "kept" } else { "every" };
        self.subject = Some(format!("DELETE from {table}"));
        match table {
            "every" => format!("DELETE FROM every WHERE {condition} RETURNING id"),
            _ => format!(
                "DELETE FROM kept USING every WHERE kept.every_id = every.id AND {condition} RETURNING kept.id"
            ),
        }
    }

    /// A call with literals that have no type, or that of a number as it is written.
    fn untyped(&mut self) -> String {
        let name = self.a_type();
        let Some(shape) = self.shape(name) else { return "SELECT 1".to_owned() };
        let arguments = shape.arguments.iter().map(|name| {
            let texts = texts(name);
            let text = texts[self.rng.usize(..texts.len())];
            let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
            if is_number && self.rng.bool() { text.to_owned() } else { quoted(text) }
        });
        let arguments = arguments.collect::<Vec<_>>();
        self.subject = Some(format!("{} with literals", signature(&shape)));
        let arguments =
            arguments.iter().map(|it| if it.starts_with('-') { format!("({it})") } else { it.clone() });
        format!("SELECT {} AS value", shape.sql(&arguments.collect::<Vec<_>>()))
    }

    fn aggregate(&mut self) -> String {
        let shape = &self.shapes.aggregates[self.rng.usize(..self.shapes.aggregates.len())];
        self.subject = Some(signature(shape));
        let arguments = shape.arguments.iter().map(|name| self.value(name, 1)).collect::<Vec<_>>();
        match shape.name.as_str() {
            "count" if arguments.is_empty() => "count(*)".to_owned(),
            _ => shape.sql(&arguments),
        }
    }

    fn any_value(&mut self) -> String {
        let name = self.a_type();
        self.value(name, 2)
    }

    fn a_type(&mut self) -> &'static str {
        TYPES[self.rng.usize(..TYPES.len())]
    }

    fn shape(&mut self, name: &str) -> Option<Shape> {
        let shapes = self.shapes.scalar.get(name)?;
        // Casts and operators are many; functions are what there is most to say about.
        let form = [Form::Function, Form::Function, Form::Operator, Form::Cast][self.rng.usize(..4)];
        let of_form = shapes.iter().filter(|shape| shape.form == form).collect::<Vec<_>>();
        let shapes = if of_form.is_empty() { shapes.iter().collect() } else { of_form };
        Some(shapes[self.rng.usize(..shapes.len())].clone())
    }

    /// A value of a type, in which functions nest so deeply at most.
    fn value(&mut self, name: &str, depth: u32) -> String {
        if depth > 0
            && self.rng.u8(..4) > 0
            && let Some(shape) = self.shape(name)
        {
            if self.subject.is_none() {
                self.subject = Some(signature(&shape));
            }
            let depth = if self.rng.u8(..4) == 0 { depth - 1 } else { 0 };
            let arguments = shape.arguments.iter().map(|name| self.value(name, depth)).collect::<Vec<_>>();
            return shape.sql(&arguments);
        }
        if self.rng.bool() && TYPES.contains(&name) {
            return format!("c_{name}");
        }
        let texts = texts(name);
        match texts {
            _ if self.rng.u8(..12) == 0 => format!("NULL::{name}"),
            [] => format!("NULL::{name}"),
            _ => literal(texts[self.rng.usize(..texts.len())], name),
        }
    }
}

fn signature(shape: &Shape) -> String {
    match shape.form {
        Form::Operator => format!("operator {} ({})", shape.name, shape.arguments.join(", ")),
        Form::Cast => format!("cast of {} to {}", shape.arguments[0], shape.name),
        Form::Function | Form::Aggregate => format!("{}({})", shape.name, shape.arguments.join(", ")),
    }
}

fn literal(text: &str, name: &str) -> String {
    format!("{}::{name}", quoted(text))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
