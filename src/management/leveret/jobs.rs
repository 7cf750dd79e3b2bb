//! The jobs of a broker: those that run, and the last ones that have ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use super::super::answer::Answer;
use super::super::call::{Call, has_any};
use super::super::failure::Failure;
use super::super::listing::{one, paged};
use super::job::{End, Job, Order};
use crate::auth::Tags;
use crate::time::Time;

/// So many run at a time.
const RUNNING_MAX: usize = 8;
/// So many of them of one user.
const OF_USER_MAX: usize = 4;
/// So many are remembered.
const KEPT_MAX: usize = 200;

/// The jobs. When they are dropped those that run are cancelled, and waited for.
#[derive(Default)]
pub struct Jobs {
    next: AtomicU64,
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    job: Arc<Job>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Jobs {
    /// Begins a job on a thread of its own.
    pub(super) fn begin(
        &self,
        order: Order,
        work: impl FnOnce(&Job) -> End + Send + 'static,
    ) -> Result<Arc<Job>, Failure> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().filter(|kept| !kept.job.is_over()).count() >= RUNNING_MAX {
            return Err(Failure::too_many(format!(
                "{RUNNING_MAX} jobs are running, which is as many as may: wait for one, or cancel it"
            )));
        }
        let is_of_user = |kept: &&Kept| !kept.job.is_over() && kept.job.order.user == order.user;
        if kept.iter().filter(is_of_user).count() >= OF_USER_MAX {
            return Err(Failure::too_many(format!(
                "{OF_USER_MAX} jobs of user '{}' are running, which is as many as may: wait for one, or cancel it",
                order.user
            )));
        }
        while kept.len() >= KEPT_MAX
            && let Some(oldest) = kept.iter().position(|kept| kept.job.is_over())
        {
            kept.remove(oldest);
        }
        // A number alone would be that of another job after a restart.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let job = Arc::new(Job::new(format!("{}-{number}", Time::now().as_millis()), order));
        let of_thread = Arc::clone(&job);
        let Order { kind, vhost, queue, user, dry_run, .. } = &job.order;
        tracing::info!(
            "job {}: {kind} of queue '{queue}' in vhost '{vhost}' by user '{user}', dry run: {dry_run}",
            job.id
        );
        let thread = thread::Builder::new().name("job".to_owned()).spawn(move || {
            let ending = Ending(&of_thread);
            ending.0.end(work(&of_thread));
            tracing::info!("job {}: {}", of_thread.id, of_thread.summary());
        });
        let thread = thread.map_err(|_| Failure::internal())?;
        kept.push(Kept { job: Arc::clone(&job), thread: Some(thread) });
        Ok(job)
    }

    fn all(&self) -> Vec<Arc<Job>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|kept| Arc::clone(&kept.job)).collect()
    }
}

/// A job whose work panics has failed.
struct Ending<'a>(&'a Job);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        // Nothing, if it has ended.
        self.0.end(End::Failed("The broker failed; see its log".to_owned()));
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        for kept in &kept {
            kept.job.cancel();
        }
        for thread in kept.into_iter().filter_map(|kept| kept.thread) {
            // A panic there was logged.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jobs({})", self.all().len())
    }
}

/// What is answered to whoever asked for a job.
pub(super) fn accepted(job: &Job) -> Answer {
    Answer::Accepted(format!("/api/leveret/jobs/{}", job.id), job.json())
}

/// The jobs in virtual hosts that the user may see.
fn visible(call: &Call) -> Vec<Arc<Job>> {
    let mut jobs = call.site.jobs.all();
    let vhosts = &call.environment().vhosts;
    jobs.retain(|job| {
        vhosts.get(&job.order.vhost).map_or_else(|| is_own(call, job), |vhost| call.sees(&vhost))
    });
    jobs
}

fn is_own(call: &Call, job: &Job) -> bool {
    let user = call.user.as_ref();
    user.is_some_and(|user| has_any(user, &[Tags::ADMINISTRATOR]) || user.name.as_str() == job.order.user)
}

fn found(call: &Call) -> Result<Arc<Job>, Failure> {
    let id = call.part("job");
    visible(call).into_iter().find(|job| job.id == id).ok_or_else(|| unknown(call, id))
}

/// 404. Who asks for a job of a broker that has ended is told what became of it.
fn unknown(call: &Call, id: &str) -> Failure {
    let begun = id.split_once('-').and_then(|(begun, number)| {
        number.parse::<u64>().ok()?;
        begun.parse::<u64>().ok().map(Time::from_millis)
    });
    match begun {
        Some(begun) if begun <= call.site.started => Failure::gone(
            "If there was such a job, it ended with a broker that has stopped since. What it moved stays moved, and the rest is where it was: \
             ask for it again to go on",
        ),
        _ => Failure::no_object(),
    }
}

/// `GET /api/leveret/jobs`
pub(in crate::management) fn list(call: &Call) -> Result<Answer, Failure> {
    paged(call, visible(call), |job| job.order.queue.as_str(), |job| Some(job.json()))
}

/// `GET /api/leveret/jobs/{job}`
pub(in crate::management) fn show(call: &Call) -> Result<Answer, Failure> {
    let object: Value = found(call)?.json();
    Ok(one(call, object))
}

/// `DELETE /api/leveret/jobs/{job}`: cancels it.
pub(in crate::management) fn cancel(call: &Call) -> Result<Answer, Failure> {
    let job = found(call)?;
    if !is_own(call, &job) {
        return Err(Failure::not_authorised(
            "A job is cancelled by whoever asked for it, or by an administrator",
        ));
    }
    job.cancel();
    Ok(Answer::NoContent)
}
