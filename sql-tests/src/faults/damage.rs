//! Flipped bits: each is refused by the name of its file, or changes no answer.

use std::path::{Path, PathBuf};

use springtide_types::SqlError;

use super::Case;
use crate::client::Client;
use crate::directory::Directory;
use crate::workload::{InProcess, Transaction, check_shared, settle};

/// Bits that are flipped, each in a copy of what the last life has left.
const FLIPS: usize = 3;

impl Case {
    pub(super) async fn flip_bits(&mut self) -> Result<(), String> {
        let sound = self.disk.clone();
        let (candidates, before_end) = (self.candidates.clone(), self.before_end.clone());
        for _ in 0..FLIPS {
            let directory = Directory::new().map_err(|error| error.to_string())?;
            self.disk = sound.copy(directory.path(), self.random.u64(..));
            self.directory = directory;
            self.candidates.clone_from(&candidates);
            self.before_end.clone_from(&before_end);
            self.before_unsynced.clear();
            let Some(path) = self.any_file() else { continue };
            let at = self.disk.flip(&path, &mut self.random);
            let message = |what| format!("with a bit flipped at {at} of {}: {what}", path.display());
            self.live_with_damage(&path).await.map_err(message)?;
        }
        Ok(())
    }

    /// A file that is not empty; each kind of file has the same chance.
    fn any_file(&mut self) -> Option<PathBuf> {
        let kind = ["wal", "manifest", "history"][self.random.usize(..3)];
        let mut paths = self.disk.paths();
        paths.retain(|path| path.starts_with(kind) && self.disk.length(path) > 0);
        (!paths.is_empty()).then(|| paths.swap_remove(self.random.usize(..paths.len())))
    }

    async fn live_with_damage(&mut self, path: &Path) -> Result<(), String> {
        if self.is_end_of_log(path) {
            self.candidates.append(&mut self.before_end);
        }
        // A manifest is passed over as long as there is one before it, so whatever is noticed is noticed twice.
        for _ in 0..2 {
            let database = match self.open() {
                Ok(database) => database,
                Err(error) => return self.is_named(&error, path),
            };
            let mut connection = InProcess(Client::new(&database));
            self.candidates = vec![settle(&mut connection, &self.candidates).await?];
            check_shared(&mut connection).await?;
            for _ in 0..2 {
                let transaction = Transaction::random(&mut self.random, &self.candidates[0]);
                transaction.run(&mut connection).await.map_err(|failure| failure.to_string())?;
                self.candidates = vec![transaction.after];
                database.checkpoint().await.map_err(|error| error.to_string())?;
            }
            drop(connection);
            database.shutdown().await;
            drop(database);
            self.cut_power().map_err(|error| error.to_string())?;
        }
        self.stats.flips.1 += 1;
        Ok(())
    }

    fn is_end_of_log(&self, path: &Path) -> bool {
        self.disk.paths().into_iter().rfind(|path| path.starts_with("wal")).as_deref() == Some(path)
    }

    fn is_named(&mut self, error: &SqlError, path: &Path) -> Result<(), String> {
        self.stats.flips.0 += 1;
        let names_it = error.message.contains(&*path.to_string_lossy());
        match error.sqlstate.code() == "XX001" && names_it {
            true => Ok(()),
            false => Err(format!("{}: {error}", error.sqlstate.code())),
        }
    }
}
