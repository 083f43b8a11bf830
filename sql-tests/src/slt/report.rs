use std::fmt;
use std::path::PathBuf;

/// How one file fared.
#[derive(Debug, Default)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Records that gave exactly what the file says.
    pub exact: usize,
    /// Records that gave it only after long decimal fractions were rounded.
    pub rounded: usize,
    /// What went wrong, one text per failed record.
    pub failures: Vec<String>,
}

impl FileReport {
    /// Records that passed, exactly or rounded.
    pub fn passed(&self) -> usize {
        self.exact + self.rounded
    }

    /// Records that ran.
    pub fn total(&self) -> usize {
        self.passed() + self.failures.len()
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.failures.is_empty() { "ok  " } else { "FAIL" };
        write!(f, "{mark} {:>6}/{:<6} {}", self.passed(), self.total(), self.path.display())?;
        if self.rounded > 0 {
            write!(f, " ({} rounded)", self.rounded)?;
        }
        Ok(())
    }
}

/// How all files of a suite fared together.
#[derive(Debug, Default)]
pub struct SuiteReport {
    /// One report per file, in the order in which they ran.
    pub files: Vec<FileReport>,
}

impl SuiteReport {
    /// Records that failed, over all files.
    pub fn failed(&self) -> usize {
        self.files.iter().map(|file| file.failures.len()).sum()
    }

    /// The failures of all files as one text, for the message of a failed test.
    pub fn failures(&self) -> String {
        self.files.iter().flat_map(|file| &file.failures).map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for SuiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |count: fn(&FileReport) -> usize| self.files.iter().map(count).sum::<usize>();
        let (total, exact, rounded) =
            (sum(FileReport::total), sum(|file| file.exact), sum(|file| file.rounded));
        let share = 100.0 * (exact + rounded) as f64 / total.max(1) as f64;
        let clean = self.files.iter().filter(|file| file.failures.is_empty()).count();
        write!(
            f,
            "{clean}/{} files, {}/{total} records passed ({share:.2} %): {exact} exact, {rounded} rounded, {} failed",
            self.files.len(),
            exact + rounded,
            self.failed()
        )
    }
}
