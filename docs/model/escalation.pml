/* The protocol of one escalation, for the model checker Spin. README.md beside this file explains it.
 *
 * Every `atomic` is one transaction of the code, or one step outside the database (a publish, a
 * transmission). Between any two of them every other process may run, a worker may die, and a worker
 * may pause for as long as it likes: that is all it takes to be a zombie.
 *
 * The words are those of the code. The names in capitals after #ifdef are variants, each of which takes
 * one mechanism away, and settings of the surroundings; README.md has the list.
 */

#ifndef STEPS
#define STEPS 2
#endif
#ifndef MAX_ATTEMPTS
#define MAX_ATTEMPTS 2
#endif
#ifndef MAX_CLAIMS
#define MAX_CLAIMS 3
#endif

/* ---- wake-ups
 *
 * A message carries a key and nothing else. Keys are numbered: first the steps, then the attempts at
 * the one target of each step. Sets of keys are sets of bits.
 */

#define STEP_KEY(step)             (step)
#define ATTEMPT_KEY(step, attempt) (STEPS + (step) * MAX_ATTEMPTS + (attempt) - 1)
#define IS_STEP(key)               ((key) < STEPS)
#define STEP_OF(key)               (IS_STEP(key) -> (key) : ((key) - STEPS) / MAX_ATTEMPTS)
#define ATTEMPT_OF(key)            (((key) - STEPS) % MAX_ATTEMPTS + 1)

#define NOTHING              0
#define ONLY(key)            (1 << (key))
#define HAS(set, key)        (((set) >> (key)) & 1)
#define ANY_BEYOND(set, key) (((set) >> ((key) + 1)) != 0)
#define KEYS                 (STEPS + STEPS * MAX_ATTEMPTS)
#define ADD(set, other)      set = (set) | (other)
#define REMOVE(set, other)   set = (set) & ~(other)

/* ---- rows
 *
 * The execution, its steps, and of each target the newest attempt: older ones are finished, which is
 * all that still matters of them. Times are flags: the clock raises them and nothing lowers them.
 */

mtype = { running, acknowledged, exhausted };
mtype = { waiting, fired };
mtype = { scheduled, sending, delivered, failed, unknown, cancelled };

mtype execution = running;

mtype step_status[STEPS]; /* 0: not inserted yet */
bool step_due[STEPS];

mtype attempt_status[STEPS];
byte attempt_number[STEPS]; /* 0: not inserted yet */
bool attempt_due[STEPS];
byte claim_number[STEPS];
bool lease_expired[STEPS]; /* lease_until has passed */
bool transmit_at[STEPS]; /* true: it is set */
bool may_repeat[STEPS];

short dispatched = NOTHING; /* keys of the rows whose dispatched_at is set, as long as that is of interest */

#define LIVE(step) ((step_status[step] == waiting -> ONLY(STEP_KEY(step)) : NOTHING) | \
    (attempt_status[step] == scheduled -> ONLY(ATTEMPT_KEY(step, attempt_number[step])) : NOTHING))
#if STEPS > 2
#define LIVE_KEYS (LIVE(0) | LIVE(1) | LIVE(2))
#define SOMETHING_IS_LIVE (LIVE_ROW(0) || LIVE_ROW(1) || LIVE_ROW(2))
#else
#define LIVE_KEYS (LIVE(0) | LIVE(1))
#define SOMETHING_IS_LIVE (LIVE_ROW(0) || LIVE_ROW(1))
#endif

#define PREVIOUS(step)   ((step) > 0 -> (step) - 1 : 0) /* of the first step: an index that exists */
#define UNFINISHED(step) (attempt_status[step] == scheduled || attempt_status[step] == sending)
#define LIVE_ROW(step)   (step_status[step] == waiting || UNFINISHED(step))

/* on_unknown: the node of the last step holds what is uncertain, the others send it again. */
#define HOLDS(step) ((step) == STEPS - 1)

/* ---- what really happened; the protocol cannot see it, the promises are about it */

bool accepted[STEPS];          /* the provider took a message for this target */
bool uncertain[STEPS];         /* a lease ran out after its mark, or a transmission ended as unknown */
bool attempt_uncertain[STEPS]; /* the same, but only by earlier claims of the newest attempt */

/* ---- promises: named, so that a violation is reported by its name */

bool never_early = true;
bool fires_once = true;
bool fires_in_order = true;
bool no_claim_after_acknowledge = true;
bool no_transmit_after_acknowledge = true;
bool no_claim_of_a_live_lease = true;
bool no_outcome_under_a_stale_claim = true;
bool a_repeat_is_announced = true;
bool held_is_never_repeated = true;
bool uncertain_is_said = true;
bool none_is_skipped = true;
bool never_lost = true;
bool on_time = true;

#define PROMISE(name, condition) name = (condition); assert(name)

/* ---- the surroundings
 *
 * Without any of these, worst case: anybody may be woken for any key at any moment, or never, so the
 * broker loses, doubles, reorders, delays and invents; workers die and pause anywhere; time passes as it
 * likes. What holds there holds with every broker. Whether anybody *is* woken cannot be asked there:
 *
 * BROKER     a broker that delays a message until its row is due, and recovery; workers die anywhere;
 *            time passes only when there is nothing else to do, so that "late" has a meaning.
 * LOSES      besides, this broker loses messages, one by one and all at once.
 * NO_FAULTS  on the contrary: nobody dies either.
 */

#ifdef NO_FAULTS
#define WORKERS_DIE false
#else
#define WORKERS_DIE true
#endif

#ifdef BROKER
#define MAY_TIME_PASS timeout /* true when no other process can do anything */
#define ARRIVING broker
#else
#define MAY_TIME_PASS true
#define ARRIVING ((1 << KEYS) - 1)
#endif

#ifdef LOSES
#define KEEPS_MESSAGES false
#else
#define KEEPS_MESSAGES true
#endif

short broker = NOTHING;  /* messages that can be delivered, in any order */
short delayed = NOTHING; /* messages whose row was not due when they were published */

#define IS_DUE(key) (IS_STEP(key) -> step_due[STEP_OF(key)] : ATTEMPT_IS_DUE(STEP_OF(key), ATTEMPT_OF(key)))
#define ATTEMPT_IS_DUE(step, attempt) (attempt != attempt_number[step] || !UNFINISHED(step) || \
    (attempt_status[step] == scheduled -> attempt_due[step] : lease_expired[step]))

/* Publish the wake-ups of the caller. */
inline publish(key) {
    key = 0;
    do
    :: key < KEYS && HAS(wake_ups, key) && IS_DUE(key) -> ADD(broker, ONLY(key)); key++
    :: key < KEYS && HAS(wake_ups, key) && !IS_DUE(key) -> ADD(delayed, ONLY(key)); key++
    :: key < KEYS && !HAS(wake_ups, key) -> key++
    :: key == KEYS -> key = 0; break
    od
}

#ifdef NO_DISPATCH_MARK
inline mark_dispatched() { skip }
#define NEVER_DISPATCHED(key) false
#else
inline mark_dispatched() { dispatched = (dispatched | wake_ups) & LIVE_KEYS }
#define NEVER_DISPATCHED(key) (!HAS(dispatched, key))
#endif

/* Stop at any one of the keys in the set. */
inline pick(set, key) {
    key = 0;
    do
    :: HAS(set, key) -> break
    :: ANY_BEYOND(set, key) -> key++
    od
}

/* ---- what transactions do. Those who use these hold the execution's row lock: they are in an `atomic`.
 *
 * `wake_ups` is the set of keys to dispatch after the commit.
 */

inline insert_step(step) {
    step_status[step] = waiting;
    ADD(wake_ups, ONLY(STEP_KEY(step)))
}

inline insert_attempt(step, number, due, repeat) {
    attempt_status[step] = scheduled;
    attempt_number[step] = number;
    attempt_due[step] = due;
    claim_number[step] = 0;
    may_repeat[step] = repeat;
    attempt_uncertain[step] = false;
    ADD(wake_ups, ONLY(ATTEMPT_KEY(step, number)))
}

inline bring_step_forward(step) {
    step_due[step] = true;
    REMOVE(dispatched, ONLY(STEP_KEY(step)));
    ADD(wake_ups, ONLY(STEP_KEY(step)))
}

/* _settle: nothing more happens at this target; when that was the last thing, the execution is over. */
inline settle() {
    other = 0;
    do
    :: other == STEPS ->
        PROMISE(none_is_skipped, step_status[STEPS - 1] == fired);
        execution = exhausted;
        break
    :: other < STEPS && LIVE_ROW(other) -> break
    :: else -> other++
    od;
    other = 0
}

/* _settle_target: it was not reached either, so the next step need not wait. */
inline settle_target(step) {
    settle();
    if
    :: step + 1 < STEPS ->
        if
        :: step_status[step + 1] == waiting && !step_due[step + 1] -> bring_step_forward(step + 1)
        :: else
        fi
    :: else
    fi
}

/* A finished attempt's other columns are not read again; the same value in all is fewer states. */
inline end_attempt(step, outcome) {
    attempt_status[step] = outcome;
    lease_expired[step] = false;
    transmit_at[step] = false;
    attempt_due[step] = false;
    claim_number[step] = 0;
    attempt_uncertain[step] = false
}

inline update_to_sending(step, repeat) {
    PROMISE(no_claim_after_acknowledge, execution == running);
    PROMISE(no_claim_of_a_live_lease, attempt_status[step] == scheduled || lease_expired[step]);
    attempt_uncertain[step] = attempt_uncertain[step] || transmit_at[step];
    attempt_status[step] = sending;
    claim_number[step]++;
    may_repeat[step] = repeat;
    lease_expired[step] = false;
    transmit_at[step] = false
}

#ifdef NO_TRANSMIT_MARK
#define TRANSMITTED(step) false
#else
#define TRANSMITTED(step) transmit_at[step]
#endif

#ifdef LEASE_NOT_CHECKED
#define LEASED(step) false
#else
#define LEASED(step) (!lease_expired[step])
#endif

#ifdef CLAIM_JOINS
#define RUNNING snapshot_running
#else
#define RUNNING (execution == running)
#endif

/* ---- where a worker is between two transactions, and how one of them ends */

#define IDLE            0
#define CLAIMED         1 /* it speaks, up to the point of no return */
#define MARKED          2 /* it is to transmit */
#define ENDED           3 /* it knows the outcome, and nobody else does */
#define COMMITTED       4 /* wake_ups are to be published */
#define PUBLISHED       5 /* and to be marked as dispatched */
#define NEXT_IS_MISSING 6 /* of variants only, as the ones below */
#define SNAPSHOT_TAKEN  7
#define TO_FIRE         8

inline leave() { phase = IDLE }

inline wake_again(key) {
    ADD(wake_ups, ONLY(key));
    phase = COMMITTED
}

/* ---- the three transactions of a worker that decide (machine.py) */

inline fire_step(step) {
    if
    :: execution != running || step_status[step] == 0 -> leave()
#ifndef NO_GUARD_ON_WAITING
    :: execution == running && step_status[step] == fired -> leave()
#endif
#ifndef DUE_NOT_CHECKED
    :: execution == running && step_status[step] == waiting && !step_due[step] ->
        wake_again(STEP_KEY(step))
#endif
    :: else ->
        PROMISE(never_early, step_due[step]);
        PROMISE(fires_once, step_status[step] == waiting);
        PROMISE(fires_in_order, step == 0 || step_status[PREVIOUS(step)] == fired);
fire:   step_status[step] = fired;
        insert_attempt(step, 1, true, false);
        phase = COMMITTED;
        if
        :: step + 1 < STEPS ->
#ifdef NEXT_IN_A_SECOND_TRANSACTION
            phase = NEXT_IS_MISSING
#else
            insert_step(step + 1)
#endif
        :: else
        fi
    fi
}

/* LeaseExpired: the worker that claimed it was not heard of in time. */
inline reclaim(step) {
    if
    :: !RUNNING ->
        if
        :: TRANSMITTED(step) || may_repeat[step] -> end_attempt(step, unknown)
        :: else -> end_attempt(step, cancelled)
        fi;
        leave()
    :: RUNNING && ((TRANSMITTED(step) && HOLDS(step)) || claim_number[step] >= MAX_CLAIMS) ->
give_up:
        if
        :: TRANSMITTED(step) || may_repeat[step] -> end_attempt(step, unknown)
        :: else -> end_attempt(step, failed)
        fi;
        settle_target(step);
        phase = COMMITTED
    :: else ->
        update_to_sending(step, may_repeat[step] || TRANSMITTED(step));
        claim = claim_number[step];
resend: phase = CLAIMED
    fi
}

/* Woken for an attempt: claim it, or close it when its sender is gone and it is not sent again. */
inline claim_attempt(step, number) {
    if
    :: number != attempt_number[step] || !UNFINISHED(step) -> leave()
    :: else ->
        if
        :: attempt_status[step] == scheduled && !RUNNING ->
            attempt_status[step] = cancelled; /* never: whatever ended the execution has cancelled it */
            leave()
        :: attempt_status[step] == scheduled && RUNNING && !attempt_due[step] ->
            wake_again(ATTEMPT_KEY(step, number))
        :: attempt_status[step] == scheduled && RUNNING && attempt_due[step] ->
            update_to_sending(step, may_repeat[step]);
            claim = claim_number[step];
            phase = CLAIMED
        :: attempt_status[step] == sending && LEASED(step) -> wake_again(ATTEMPT_KEY(step, number))
        :: attempt_status[step] == sending && !LEASED(step) -> reclaim(step)
        fi
    fi
}

#define HOLDS_AN_ATTEMPT(step, number) (number == attempt_number[step] && attempt_status[step] == sending)
#define HOLDS_CLAIM(step, number)      (HOLDS_AN_ATTEMPT(step, number) && claim == claim_number[step])

#ifdef MARK_NOT_FENCED
#define MAY_MARK(step, number) HOLDS_AN_ATTEMPT(step, number)
#else
#define MAY_MARK(step, number) HOLDS_CLAIM(step, number)
#endif

#ifdef OUTCOME_NOT_FENCED
#define MAY_RECORD(step, number) HOLDS_AN_ATTEMPT(step, number)
#else
#define MAY_RECORD(step, number) HOLDS_CLAIM(step, number)
#endif

/* About to transmit. A lease of which too little is left counts as one that is over. */
inline mark_transmit(step, number) {
    if
#ifndef NO_LOCK_AT_THE_MARK
    :: execution != running -> outcome = cancelled; phase = ENDED
#endif
    :: else ->
        if
        :: MAY_MARK(step, number) && !lease_expired[step] ->
            PROMISE(no_transmit_after_acknowledge, execution == running);
mark:       transmit_at[step] = true;
            phase = MARKED
        :: else -> leave()
        fi
    fi
}

inline accept(step) {
    if
    :: accepted[step] ->
repeat: PROMISE(a_repeat_is_announced, may_repeat[step] && uncertain[step]);
        PROMISE(held_is_never_repeated, !HOLDS(step))
    :: else
    fi;
    accepted[step] = true
}

/* The provider takes it and says so; takes it and is cut off; does not take it and is cut off; refuses. */
inline transmit(step) {
    if
    :: outcome = delivered
    :: outcome = unknown
    :: outcome = failed
    fi;
    if
    :: outcome != failed -> accept(step)
    :: outcome != delivered
    fi;
    phase = ENDED
}

inline record_outcome(step, number) {
    if
    :: !MAY_RECORD(step, number) -> leave()
    :: else ->
        PROMISE(no_outcome_under_a_stale_claim, claim == claim_number[step]);
        uncertain[step] = uncertain[step] || outcome == unknown;
#ifdef UNCERTAIN_IS_FORGOTTEN
        recorded = outcome;
#else
        recorded = (outcome != delivered && may_repeat[step] -> unknown : outcome);
#endif
        PROMISE(uncertain_is_said, recorded == delivered || recorded == unknown || !attempt_uncertain[step]);
record: end_attempt(step, recorded);
        recorded = 0;
        phase = COMMITTED;
        if
        :: execution != running
        :: execution == running && outcome == delivered -> settle()
        /* it may pass, and attempts are left */
        :: execution == running && number < MAX_ATTEMPTS &&
           (outcome == failed || (outcome == unknown && !HOLDS(step))) ->
retry:      insert_attempt(step, number + 1, false, may_repeat[step] || outcome == unknown)
        /* it is permanent, or held, or the last one */
        :: execution == running && (outcome == failed ||
           (outcome == unknown && (HOLDS(step) || number == MAX_ATTEMPTS))) -> settle_target(step)
        fi
    fi
}

/* ---- a worker: it is woken, runs transactions with the network between them, and dispatches */

/* The task is over: its message is acknowledged, and the worker knows nothing of it any more. */
inline forget() {
    message = 0;
    step = 0;
    attempt = 0;
    claim = 0;
    outcome = 0;
    wake_ups = NOTHING;
    other = 0;
    phase = IDLE
}

/* After a transaction. */
inline go_on() {
#ifndef BROKER
    if
    :: phase == COMMITTED -> phase = IDLE /* wake-ups come by themselves in this world */
    :: else
    fi;
#endif
    if
    :: phase == IDLE || (phase == COMMITTED && wake_ups == NOTHING) -> forget()
    :: else
    fi
}

inline take_message() {
    pick(ARRIVING, message);
    REMOVE(broker, ONLY(message));
    step = STEP_OF(message);
    attempt = (IS_STEP(message) -> 0 : ATTEMPT_OF(message))
}

proctype worker() {
    byte phase = IDLE;
    byte message;  /* the key of the wake-up, unacknowledged until the task is over: */
    byte step;
    byte attempt;  /* 0: it is the step's own */
    byte claim;    /* Claim.number */
    mtype outcome;
    mtype recorded; /* the outcome as it is written */
    short wake_ups = NOTHING;
    byte other;
#ifdef CLAIM_JOINS
    bool snapshot_running;
#endif

end:
    do
    :: atomic { phase == IDLE && ARRIVING != NOTHING ->
        take_message();
        if
        :: attempt == 0 ->
#ifdef PUBLISH_BEFORE_COMMIT
            if
            :: step + 1 < STEPS -> ADD(broker, ONLY(STEP_KEY(step + 1)))
            :: else
            fi;
            ADD(broker, ONLY(ATTEMPT_KEY(step, 1)));
            phase = TO_FIRE
#else
            fire_step(step);
            go_on()
#endif
        :: else ->
#ifdef CLAIM_JOINS
            snapshot_running = (execution == running);
            phase = SNAPSHOT_TAKEN
#else
            claim_attempt(step, attempt);
            go_on()
#endif
        fi }

    :: atomic { phase == CLAIMED ->
        if
        :: mark_transmit(step, attempt)
        :: outcome = failed; phase = ENDED /* before the point of no return: certainly not sent */
        fi;
        go_on() }

    :: atomic { phase == MARKED -> transmit(step) }

    :: atomic { phase == ENDED -> record_outcome(step, attempt); go_on() }

#ifdef BROKER
#ifdef MARK_BEFORE_PUBLISH
    :: atomic { phase == COMMITTED -> ADD(dispatched, wake_ups); phase = PUBLISHED }
    :: atomic { phase == PUBLISHED -> publish(other); forget() }
#else
    :: atomic { phase == COMMITTED -> publish(other); phase = PUBLISHED }
    :: atomic { phase == PUBLISHED -> mark_dispatched(); forget() }
#endif
#endif

    /* Its connection is gone with it, so the broker delivers the message again. */
    :: atomic { WORKERS_DIE && phase != IDLE ->
#ifdef BROKER
        ADD(broker, ONLY(message));
#endif
crash:  forget() }

#ifdef NEXT_IN_A_SECOND_TRANSACTION
    :: atomic { phase == NEXT_IS_MISSING -> insert_step(step + 1); phase = COMMITTED }
#endif
#ifdef CLAIM_JOINS
    :: atomic { phase == SNAPSHOT_TAKEN -> claim_attempt(step, attempt); go_on() }
#endif
#ifdef PUBLISH_BEFORE_COMMIT
    :: atomic { phase == TO_FIRE -> fire_step(step); forget() }
#endif
    od
}

/* ---- the API */

/* The execution and its first step are committed already: before that there is nothing to lose. */
proctype start_execution() {
    short wake_ups = ONLY(STEP_KEY(0));
    byte other;
    if
    :: atomic { publish(other) }
    :: WORKERS_DIE -> goto end
    fi;
    if
    :: atomic { mark_dispatched() }
    :: WORKERS_DIE
    fi;
end: skip
}

/* Somebody answers at some moment, or nobody ever does. */
proctype acknowledge() {
    byte step;
    if
    :: atomic { execution != acknowledged ->
answer: execution = acknowledged;
        for (step : 0 .. STEPS - 1) {
            if
            :: step_status[step] == waiting -> step_status[step] = cancelled
            :: else
            fi;
            if
            :: attempt_status[step] == scheduled -> end_attempt(step, cancelled)
            :: else
            fi
        }
        step = 0 }
    :: skip
    fi
}

/* ---- recovery: one runner at a time, so one process. It publishes, and never executes. */

#define LOST_STEP(step) (step_status[step] == waiting && (NEVER_DISPATCHED(STEP_KEY(step)) || step_due[step]))
#define LOST_ATTEMPT(step) ((attempt_status[step] == scheduled && \
    (NEVER_DISPATCHED(ATTEMPT_KEY(step, attempt_number[step])) || attempt_due[step])) || \
    (attempt_status[step] == sending && lease_expired[step]))

/* A row is found and published; then it is marked in a transaction, unless the runner dies first. */
inline dispatch_again(key) {
    wake_ups = ONLY(key);
    publish(other)
}

proctype recover() {
    short wake_ups = NOTHING;
    byte other;
end:
    do
    :: atomic { wake_ups != NOTHING -> mark_dispatched(); wake_ups = NOTHING }
    :: atomic { wake_ups != NOTHING && WORKERS_DIE -> wake_ups = NOTHING }
    :: atomic { wake_ups == NOTHING && LOST_STEP(0) -> dispatch_again(STEP_KEY(0)) }
    :: atomic { wake_ups == NOTHING && LOST_STEP(1) -> dispatch_again(STEP_KEY(1)) }
    :: atomic { wake_ups == NOTHING && LOST_ATTEMPT(0) -> dispatch_again(ATTEMPT_KEY(0, attempt_number[0])) }
    :: atomic { wake_ups == NOTHING && LOST_ATTEMPT(1) -> dispatch_again(ATTEMPT_KEY(1, attempt_number[1])) }
#if STEPS > 2
    :: atomic { wake_ups == NOTHING && LOST_STEP(2) -> dispatch_again(STEP_KEY(2)) }
    :: atomic { wake_ups == NOTHING && LOST_ATTEMPT(2) -> dispatch_again(ATTEMPT_KEY(2, attempt_number[2])) }
#endif
#ifdef RUNNER_HANGS
    :: break /* it stops for ever, and keeps the lock that lets only one runner run */
#endif
    od
}

/* ---- time, and what the broker does wrong */

inline release(key) {
#ifdef BROKER
    if
    :: HAS(delayed, key) -> REMOVE(delayed, ONLY(key)); ADD(broker, ONLY(key))
    :: else
    fi
#else
    skip
#endif
}

inline step_comes_due(step) {
#ifdef BROKER
    PROMISE(on_time, !KEEPS_MESSAGES || step_status[step] != waiting || HAS(delayed, STEP_KEY(step)));
#endif
    release(STEP_KEY(step));
    step_due[step] = true
}

inline attempt_comes_due(step) {
#ifdef BROKER
    PROMISE(on_time, !KEEPS_MESSAGES || HAS(delayed, ATTEMPT_KEY(step, attempt_number[step])));
#endif
    release(ATTEMPT_KEY(step, attempt_number[step]));
    attempt_due[step] = true
}

inline lease_expires(step) {
    release(ATTEMPT_KEY(step, attempt_number[step]));
    uncertain[step] = uncertain[step] || transmit_at[step];
    lease_expired[step] = true
}

#define DUE_NEXT(step)     (!step_due[step])
#define ATTEMPT_NEXT(step) (attempt_status[step] == scheduled && !attempt_due[step])
#define LEASE_RUNS(step)   (attempt_status[step] == sending && !lease_expired[step])

#define TIME_IS_LEFT_AT(step) (DUE_NEXT(step) || ATTEMPT_NEXT(step) || LEASE_RUNS(step))
#if STEPS > 2
#define TIME_IS_LEFT (TIME_IS_LEFT_AT(0) || TIME_IS_LEFT_AT(1) || TIME_IS_LEFT_AT(2))
#else
#define TIME_IS_LEFT (TIME_IS_LEFT_AT(0) || TIME_IS_LEFT_AT(1))
#endif

/* Nothing is under way, and no time is left to pass: nothing will ever happen again. */
inline at_rest() {
    PROMISE(never_lost, execution != running);
    for (step : 0 .. STEPS - 1) {
        PROMISE(never_lost, step_status[step] != waiting && !UNFINISHED(step));
        PROMISE(never_lost, execution == acknowledged || step_status[step] == fired)
    }
}

/* Planned due times come in order. A lease may run out at any moment: its holder may just be slow. */
proctype clock() {
    byte step;
end:
    do
    :: atomic { MAY_TIME_PASS && DUE_NEXT(0) -> step_comes_due(0) }
    :: atomic { MAY_TIME_PASS && DUE_NEXT(1) && step_due[0] -> step_comes_due(1) }
    :: atomic { MAY_TIME_PASS && ATTEMPT_NEXT(0) -> attempt_comes_due(0) }
    :: atomic { MAY_TIME_PASS && ATTEMPT_NEXT(1) -> attempt_comes_due(1) }
    :: atomic { MAY_TIME_PASS && LEASE_RUNS(0) -> lease_expires(0) }
    :: atomic { MAY_TIME_PASS && LEASE_RUNS(1) -> lease_expires(1) }
#if STEPS > 2
    :: atomic { MAY_TIME_PASS && DUE_NEXT(2) && step_due[1] -> step_comes_due(2) }
    :: atomic { MAY_TIME_PASS && ATTEMPT_NEXT(2) -> attempt_comes_due(2) }
    :: atomic { MAY_TIME_PASS && LEASE_RUNS(2) -> lease_expires(2) }
#endif
#ifdef BROKER
    :: atomic { timeout && !TIME_IS_LEFT -> at_rest(); break }
#endif
    od
}

proctype broker_loses() {
    byte key;
end:
    do
    :: atomic { broker != NOTHING -> pick(broker, key); REMOVE(broker, ONLY(key)); key = 0 } /* lost */
    :: broker != NOTHING -> broker = NOTHING /* wiped */
    od
}

/* Whatever runs is waited for by a row that recovery can find. Enabled only when that is broken. */
proctype nothing_is_stuck() {
end:
    atomic { execution == running && !SOMETHING_IS_LIVE -> PROMISE(never_lost, false) }
}

init {
    atomic {
        step_status[0] = waiting;
        run worker();
        run worker();
        run clock();
#ifdef BROKER
        run start_execution();
#ifndef NO_RECOVERY
        run recover();
#endif
#ifdef LOSES
        run broker_loses();
#endif
#else
        run acknowledge();
        run nothing_is_stuck();
#endif
        skip
    }
}
