//! What a person sees while the year goes by: a progress bar above a few of the views, read again several
//! times a second. Without a terminal, a line a month.

use std::cell::Cell;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::timeline::Tick;
use crate::{Result, table};

const BOARD: [&str; 3] = [
    "SELECT airline, flights, arr_delay, percent_late AS \"late %\" \
     FROM delay_by_airline ORDER BY arr_delay DESC LIMIT 5",
    "SELECT sky, flights, dep_delay, worst FROM delay_by_weather ORDER BY dep_delay DESC",
    "SELECT origin, destination, flights, arr_delay FROM worst_routes \
     ORDER BY arr_delay DESC LIMIT 3",
];
const REFRESH: Duration = Duration::from_millis(250);

/// The display; it ends with [`Display::finish`].
pub(crate) struct Display {
    screen: MultiProgress,
    bar: ProgressBar,
    /// The month of the last tick, where there is no terminal.
    month: Cell<Option<String>>,
    stop: oneshot::Sender<()>,
    refresher: JoinHandle<Result<()>>,
}

impl Display {
    /// Shows the views as `client` reads them, and the way to `total` changes.
    pub(crate) fn start(client: Client, total: u64) -> Display {
        let target = if std::io::stdout().is_terminal() {
            ProgressDrawTarget::stdout()
        } else {
            ProgressDrawTarget::hidden()
        };
        let screen = MultiProgress::with_draw_target(target);
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            // Writing to the screen's buffer does not fail.
            let _ = write!(out, "{} rows/s", HumanCount(state.per_sec() as u64));
        };
        let bar = style("{msg}  {bar:36.cyan/blue}  {human_pos}/{human_len} rows  {rate}  {elapsed}");
        let bar = screen.add(ProgressBar::new(total).with_style(bar.with_key("rate", rate)));
        let board = screen.add(ProgressBar::new_spinner().with_style(style("{msg}")));
        let (stop, stopped) = oneshot::channel();
        let refresher = tokio::spawn(refresh(client, board, stopped));
        Display { screen, bar, month: Cell::new(None), stop, refresher }
    }

    /// The tick is committed.
    pub(crate) fn advance(&self, tick: &Tick<'_>) {
        let date = tick.date();
        self.bar.inc(tick.changes.len() as u64);
        if self.screen.is_hidden() {
            let month = Some(date[..7].to_owned());
            let before = self.month.replace(month.clone());
            if before.is_some() && before != month {
                println!("{date}  {} rows", HumanCount(self.bar.position()));
            }
        }
        self.bar.set_message(date);
    }

    /// A line that stays.
    pub(crate) fn note(&self, line: &str) {
        self.screen.suspend(|| println!("{line}"));
    }

    /// Leaves the last state of the views on the screen.
    pub(crate) async fn finish(self) -> Result<()> {
        self.bar.finish();
        // The refresher may have ended already; its result says why.
        let _ = self.stop.send(());
        self.refresher.await?
    }
}

async fn refresh(client: Client, board: ProgressBar, mut stopped: oneshot::Receiver<()>) -> Result<()> {
    loop {
        let stop = tokio::time::timeout(REFRESH, &mut stopped).await.is_ok();
        let mut text = String::new();
        for query in BOARD {
            text += "\n";
            text += &read(&client, query).await?;
        }
        board.set_message(text);
        if stop {
            board.finish();
            return Ok(());
        }
    }
}

async fn read(client: &Client, query: &str) -> Result<String> {
    let mut headers = Vec::new();
    let mut rows = Vec::new();
    for message in client.simple_query(query).await? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                headers = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|column| row.get(column).unwrap_or("-").to_owned());
                rows.push(cells.collect());
            }
            _ => {}
        }
    }
    Ok(table::render(&headers, &rows))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template of ours")
}
