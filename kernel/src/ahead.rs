//! Decode files before they are asked for, on a thread of its own, while the interpreter still imports modules.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::batch::{self, Request, Source, Tables};
use crate::large::LargeFile;

/// The files of one call that is expected: a batch, or a large file with the size of its windows.
#[derive(Clone)]
pub struct Group {
    pub paths: Vec<OsString>,
    pub window_bytes: Option<u64>,
}

pub enum Decoded {
    Batch(Tables),
    /// None where it is doubtful already.
    Large(Option<Box<LargeFile>>),
}

struct Ahead {
    request: Request,
    progress: Mutex<Progress>,
    changed: Condvar,
}

struct Progress {
    waiting: VecDeque<Group>,
    current: Option<Group>,
    is_awaited: bool,
    done: Vec<(Group, Decoded)>,
}

static LATEST: Mutex<Option<Arc<Ahead>>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begin to decode groups of files in their order, until one is asked for that is not begun yet.
pub fn start(groups: Vec<Group>, request: Request) {
    let mut waiting = VecDeque::from(groups);
    // The first is begun from now on, so that whoever asks for it waits for it.
    let current = waiting.pop_front();
    let progress = Mutex::new(Progress { waiting, current, is_awaited: false, done: Vec::new() });
    let ahead = Arc::new(Ahead { request, progress, changed: Condvar::new() });
    *lock(&LATEST) = Some(Arc::clone(&ahead));
    thread::spawn(move || ahead.run());
}

/// What was decoded ahead for the wanted group and this request, where its turn has come already.
///
/// Once a group is asked for whose turn has not come, nothing more is decoded ahead.
pub fn take(is_wanted: impl Fn(&Group) -> bool, request: &Request) -> Option<Decoded> {
    let ahead = lock(&LATEST).clone().filter(|ahead| ahead.request == *request)?;
    let mut progress = lock(&ahead.progress);
    while progress.current.as_ref().is_some_and(&is_wanted) {
        progress.is_awaited = true;
        progress = ahead.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
    }
    let found = progress.done.iter().position(|(group, _)| is_wanted(group));
    if found.is_none() {
        progress.waiting.clear();
    }
    found.map(|position| progress.done.swap_remove(position).1)
}

impl Ahead {
    fn run(&self) {
        let mut current = lock(&self.progress).current.clone();
        while let Some(group) = current {
            // Whoever waits must be woken up in any case.
            let decoded = catch_unwind(AssertUnwindSafe(|| self.decode(&group))).ok();
            let mut progress = lock(&self.progress);
            progress.done.extend(decoded.map(|decoded| (group, decoded)));
            progress.is_awaited = false;
            progress.current = progress.waiting.pop_front();
            current = progress.current.clone();
            self.changed.notify_all();
        }
    }

    fn decode(&self, group: &Group) -> Decoded {
        let Some(window_bytes) = group.window_bytes else {
            return Decoded::Batch(batch::decode(
                group.paths.iter().map(|path| Some(Source::Path(path))),
                &self.request,
            ));
        };
        let columns = self.request.columns.clone();
        let found = LargeFile::open(&group.paths[0], columns, self.request.in_flight_listed, window_bytes);
        Decoded::Large(found.ok().map(|mut file| {
            // Whoever waits decodes the rest.
            while !lock(&self.progress).is_awaited && file.decode_ahead() {}
            Box::new(file)
        }))
    }
}
