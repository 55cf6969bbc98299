/* What people and timers do to one escalation, for the model checker Spin. README.md beside this file
 * explains it; `escalation.pml` is about the same protocol where nobody changes the course.
 *
 * Every `atomic` is one transaction of the code, or one step outside the database. The names in capitals
 * after #ifdef are variants, each of which takes one mechanism away, and settings of the surroundings.
 */

#ifndef OPERATIONS
#define OPERATIONS 2
#endif
#define NODES  2
#define STEPS  (NODES + NODES * OPERATIONS) /* each operation leads to one new course at most */
#define TIMERS (1 + OPERATIONS)             /* the first is RESOLVE, if there is one */

/* ---- wake-ups: keys are numbered, and sets of keys are sets of bits */

#define STEP_KEY(step)    (step)
#define ATTEMPT_KEY(step) (STEPS + (step))
#define TIMER_KEY(timer)  (2 * STEPS + (timer))
#define KEYS              (2 * STEPS + TIMERS)

#define NOTHING              0
#define ONLY(key)            (1 << (key))
#define HAS(set, key)        (((set) >> (key)) & 1)
#define ANY_BEYOND(set, key) (((set) >> ((key) + 1)) != 0)
#define ADD(set, other)      set = (set) | (other)
#define REMOVE(set, other)   set = (set) & ~(other)

#define ALL_STEPS    (ONLY(STEPS) - 1)
#define ALL_ATTEMPTS (ALL_STEPS << STEPS)
#define ALL_TIMERS   ((ONLY(TIMERS) - 1) << (2 * STEPS))

/* ---- rows: the execution, its steps with one attempt each, its timers */

mtype = { running, acknowledged, snoozed, exhausted, resolved };
mtype = { ACK_TIMEOUT, SNOOZE, RESOLVE };

mtype execution = running;
byte first_step = 0;  /* of the leg that is run; what is before it is of the course that was left */
byte last_number = 0; /* how many steps have been inserted */
byte nodes_left = NODES; /* of this leg, those that no step has fired, the one that waits among them */
bool leg_has_fired = false;
byte timers = 0;      /* how many timers have been inserted */
mtype timer_kind[TIMERS];

int waits = NOTHING;   /* steps and timers `waiting`, attempts `scheduled`, and those whose lease is over */
int due = NOTHING;     /* of those that wait */
int fired = NOTHING;   /* steps and timers */
int sending = NOTHING; /* attempts; with `waits`: its lease is over */
int again = NOTHING;   /* steps that fire a node which has fired: where the execution came back to */
int dispatched = NOTHING;

#define RUNNING (execution == running)
#ifdef FIRST_STEP_NOT_CHECKED
#define RUNS(step) RUNNING
#else
#define RUNS(step) (RUNNING && (step) >= first_step)
#endif
#define STEPS_WAIT    ((waits & ALL_STEPS) != NOTHING)
#define ATTEMPTS_OPEN (((waits | sending) & ALL_ATTEMPTS) != NOTHING)

/* ---- promises: named, so that a violation is reported by its name */

bool never_early = true;
bool fires_once = true;
bool one_step_waits = true;
bool one_timer_of_a_kind = true;
bool no_timer_is_left_behind = true;
bool a_cancelled_timer_is_silent = true;
bool the_old_course_is_left = true;
bool silence_after_acknowledge = true;
bool none_is_skipped = true;
bool never_lost = true;
bool on_time = true;

#define PROMISE(name, condition) name = (condition); assert(name)

/* ---- the surroundings, as in escalation.pml */

#ifdef NO_FAULTS
#define THEY_DIE false
#else
#define THEY_DIE true
#endif
#ifdef LOSES
#define KEEPS_MESSAGES false
#else
#define KEEPS_MESSAGES true
#endif
#ifdef BROKER
#define ARRIVING broker
#define MOMENTS  0
#else
#define ARRIVING (ONLY(KEYS) - 1) /* anybody is woken for anything at any time */
#define MOMENTS  OPERATIONS
#endif

int broker = NOTHING;  /* messages that can be delivered, in any order */
int delayed = NOTHING; /* messages for rows that are not due */
int replanned = NOTHING; /* rows whose messages were for another time */
byte moments = MOMENTS; /* how many operations the clock has left time for */

inline publish() {
    ADD(broker, wake_ups & (due | ~waits));
    ADD(delayed, wake_ups & waits & ~due)
}

inline mark_dispatched() { dispatched = (dispatched | wake_ups) & waits }

inline pick(set, key) {
    key = 0;
    do
    :: HAS(set, key) -> break
    :: ANY_BEYOND(set, key) -> key++
    od
}

/* ---- what transactions do. Those who use these hold the execution's row lock: they are in an `atomic`. */

inline put(key) {
    ADD(waits, ONLY(key));
    ADD(wake_ups, ONLY(key))
}

/* Of no row that is over anything matters but that it has fired: the same values in all are fewer states. */
inline take_off(set) {
    REMOVE(waits, set);
    REMOVE(due, set);
    REMOVE(dispatched, set);
    REMOVE(delayed, set);
    REMOVE(replanned, set)
}

inline insert_step(is_due, is_again) {
    PROMISE(one_step_waits, !STEPS_WAIT);
    put(STEP_KEY(last_number));
    if
    :: is_due -> ADD(due, ONLY(STEP_KEY(last_number)))
    :: else
    fi;
    if
    :: is_again -> ADD(again, ONLY(STEP_KEY(last_number)))
    :: else
    fi;
    last_number++
}

inline insert_timer(kind) {
    for (other : 0 .. TIMERS - 1) {
        PROMISE(one_timer_of_a_kind, !HAS(waits, TIMER_KEY(other)) || timer_kind[other] != kind)
    }
    other = 0;
    timer_kind[timers] = kind;
    put(TIMER_KEY(timers));
    timers++
}

/* CancelWaiting: what is being sent stays. */
inline cancel_waiting() {
#ifndef WAITING_IS_LEFT
    take_off(ALL_STEPS | (ALL_ATTEMPTS & ~sending))
#else
    skip
#endif
}

inline cancel_timers(kind) {
#ifndef TIMERS_ARE_LEFT
    for (other : 0 .. TIMERS - 1) {
        if
        :: timer_kind[other] == kind -> take_off(ONLY(TIMER_KEY(other)))
        :: else
        fi
    }
    other = 0
#else
    skip
#endif
}

inline until_it_comes_back() {
    cancel_timers(ACK_TIMEOUT);
    cancel_timers(SNOOZE)
}

inline bring_forward() {
    pick(waits & ALL_STEPS, other);
    REMOVE(delayed, ONLY(other));
    REMOVE(dispatched, ONLY(other));
    ADD(due, ONLY(other));
    ADD(wake_ups, ONLY(other));
    other = 0
}

/* When nothing more can happen in this leg, and nothing is on its way, the execution is over. */
inline settle() {
    if
    :: RUNNING && !STEPS_WAIT && !ATTEMPTS_OPEN ->
        PROMISE(none_is_skipped, nodes_left == 0);
        execution = exhausted
    :: else
    fi
}

/* The node that fired last fires again, at the time of the timer; or the first, when none has. */
inline come_back() {
    until_it_comes_back();
    insert_step(true, leg_has_fired);
    execution = running
}

inline resolve() {
    cancel_waiting();
    take_off(ALL_TIMERS);
    execution = resolved
}

/* ---- where a worker, or the API, is between two transactions */

#define IDLE       0
#define CLAIMED    1 /* it speaks, up to the point of no return */
#define MARKED     2 /* it is to transmit */
#define ENDED      3 /* it knows the outcome, and nobody else does */
#define COMMITTED  4 /* wake_ups are to be published */
#define PUBLISHED  5 /* and to be marked as dispatched */
#define UNFINISHED 6 /* of variants only */

inline wake_again(key) {
    ADD(wake_ups, ONLY(key));
    phase = COMMITTED
}

inline fire_step(step) {
    if
    :: !RUNNING || !HAS(waits, STEP_KEY(step)) -> skip
#ifndef DUE_NOT_CHECKED
    :: RUNNING && HAS(waits, STEP_KEY(step)) && !HAS(due, STEP_KEY(step)) -> wake_again(STEP_KEY(step))
#endif
    :: else ->
        PROMISE(never_early, HAS(due, STEP_KEY(step)));
        PROMISE(fires_once, !HAS(fired, STEP_KEY(step)));
        PROMISE(the_old_course_is_left, step >= first_step);
        PROMISE(silence_after_acknowledge, RUNNING);
        take_off(ONLY(STEP_KEY(step)));
fires:  ADD(fired, ONLY(STEP_KEY(step)));
        leg_has_fired = true;
        nodes_left = (HAS(again, STEP_KEY(step)) -> nodes_left : nodes_left - 1);
        put(ATTEMPT_KEY(step));
        ADD(due, ONLY(ATTEMPT_KEY(step)));
        if
        :: nodes_left > 0 -> insert_step(false, false)
        :: else
        fi;
        phase = COMMITTED
    fi
}

#ifdef NO_GUARD_ON_TIMER
#define TIMER_WAITS(timer) ((timer) < timers && !HAS(fired, TIMER_KEY(timer)))
#define TIMER_IS_DUE(timer) true
#else
#define TIMER_WAITS(timer) HAS(waits, TIMER_KEY(timer))
#ifdef TIMER_DUE_NOT_CHECKED
#define TIMER_IS_DUE(timer) true
#else
#define TIMER_IS_DUE(timer) HAS(due, TIMER_KEY(timer))
#endif
#endif

inline fire_timer(timer) {
    if
    :: !TIMER_WAITS(timer) -> skip
    :: TIMER_WAITS(timer) && !TIMER_IS_DUE(timer) -> wake_again(TIMER_KEY(timer))
    :: else ->
        PROMISE(a_cancelled_timer_is_silent, HAS(waits, TIMER_KEY(timer)));
        PROMISE(never_early, HAS(due, TIMER_KEY(timer)));
        PROMISE(fires_once, !HAS(fired, TIMER_KEY(timer)));
        /* What this timer is for is what the execution waits for. */
        PROMISE(no_timer_is_left_behind, (timer_kind[timer] == ACK_TIMEOUT && execution == acknowledged) ||
            (timer_kind[timer] == SNOOZE && execution == snoozed) ||
            (timer_kind[timer] == RESOLVE && execution != resolved));
        take_off(ONLY(TIMER_KEY(timer)));
        ADD(fired, ONLY(TIMER_KEY(timer)));
        phase = COMMITTED;
        if
        :: timer_kind[timer] == RESOLVE ->
resolved_by_time: resolve()
        :: else ->
comes_back: ADD(fired, ONLY(TIMER_KEY(timer)));
#ifdef COMES_BACK_IN_A_SECOND_TRANSACTION
            phase = UNFINISHED
#else
            come_back()
#endif
        fi
    fi
}

inline end_attempt(step) {
    take_off(ONLY(ATTEMPT_KEY(step)));
    REMOVE(sending, ONLY(ATTEMPT_KEY(step)))
}

inline claim_attempt(step) {
    if
    :: !HAS(waits, ATTEMPT_KEY(step)) -> skip
    /* Its sender is gone, and nobody waits for it any more. */
    :: HAS(waits, ATTEMPT_KEY(step)) && !RUNS(step) ->
        PROMISE(one_step_waits, HAS(sending, ATTEMPT_KEY(step))); /* what was scheduled was cancelled */
left_behind: end_attempt(step);
        settle()
    :: HAS(waits, ATTEMPT_KEY(step)) && RUNS(step) ->
        PROMISE(silence_after_acknowledge, RUNNING);
        PROMISE(the_old_course_is_left, step >= first_step);
        take_off(ONLY(ATTEMPT_KEY(step)));
        ADD(sending, ONLY(ATTEMPT_KEY(step)));
claims: phase = CLAIMED
    fi
}

/* It failed for good, and the step had no other target: the step that follows need not wait. */
inline settle_target(step) {
    if
    :: RUNS(step) && HAS(waits, STEP_KEY(step + 1)) && !HAS(due, STEP_KEY(step + 1)) -> bring_forward()
    :: else -> settle()
    fi
}

/* It was delivered, or failed for good; what is of a course that was left brings nothing forward. */
inline record_outcome(step) {
    end_attempt(step);
    if
    :: true -> settle()
    :: true -> settle_target(step)
    fi;
    phase = COMMITTED
}

/* About to transmit, unless it was answered or handed to others since the claim. */
inline mark_transmit(step) {
    if
#ifndef NO_LOCK_AT_THE_MARK
    :: !RUNS(step) ->
answered: phase = ENDED
#endif
    :: else ->
        PROMISE(silence_after_acknowledge, RUNNING);
        PROMISE(the_old_course_is_left, step >= first_step);
marks:  phase = MARKED
    fi
}

/* ---- a worker. A zombie is escalation.pml's question: here whoever loses its lease is gone for good. */

inline forget() {
    phase = IDLE;
    message = 0;
    wake_ups = NOTHING
}

inline go_on() {
#ifndef BROKER
    if
    :: phase == COMMITTED -> phase = IDLE
    :: else
    fi;
#endif
    if
    :: phase == IDLE || (phase == COMMITTED && wake_ups == NOTHING) -> forget()
    :: else
    fi
}

proctype worker() {
    byte phase = IDLE;
    byte message; /* the key of the wake-up, unacknowledged until the task is over */
    byte other;
    int wake_ups = NOTHING;
end:
    do
    :: atomic { phase == IDLE && ARRIVING != NOTHING ->
        pick(ARRIVING, message);
        REMOVE(broker, ONLY(message));
        if
        :: message < STEPS -> fire_step(message)
        :: message >= STEPS && message < 2 * STEPS -> claim_attempt(message - STEPS)
        :: message >= 2 * STEPS -> fire_timer(message - 2 * STEPS)
        fi;
        go_on() }

    :: atomic { phase == CLAIMED ->
        if
        :: true -> mark_transmit(message - STEPS)
        :: true -> phase = ENDED /* before the point of no return */
        fi }

    :: atomic { phase == MARKED -> phase = ENDED }

    :: atomic { phase == ENDED -> record_outcome(message - STEPS); go_on() }

#ifdef BROKER
    :: atomic { phase == COMMITTED -> publish(); phase = PUBLISHED }
    :: atomic { phase == PUBLISHED -> mark_dispatched(); forget() }
#endif

    :: atomic { THEY_DIE && phase != IDLE ->
#ifdef BROKER
        ADD(broker, ONLY(message));
#endif
        if
        :: phase == CLAIMED || phase == MARKED || phase == ENDED -> /* and in time its lease is over */
lost:       ADD(waits, ONLY(message));
            ADD(due, ONLY(message))
        :: else
        fi;
        forget() }

#ifdef COMES_BACK_IN_A_SECOND_TRANSACTION
    :: atomic { phase == UNFINISHED -> come_back(); phase = COMMITTED; go_on() }
#endif
    od
}

/* ---- what people ask for: `operate` */

inline acknowledge() {
    cancel_waiting();
    cancel_timers(SNOOZE);
    execution = acknowledged;
    if
    :: insert_timer(ACK_TIMEOUT)
    :: skip /* the flow has none */
    fi
}

inline snooze() {
    cancel_waiting();
    until_it_comes_back();
    execution = snoozed;
#ifdef TIMER_IN_A_SECOND_TRANSACTION
    phase = UNFINISHED
#else
    insert_timer(SNOOZE)
#endif
}

/* It goes on with the node that comes next. */
inline escalate() {
    until_it_comes_back();
    insert_step(true, false);
    execution = running
}

/* Another flow, from its beginning: the next leg. */
inline reassign() {
    cancel_waiting();
    until_it_comes_back();
    first_step = last_number;
    nodes_left = NODES;
    leg_has_fired = false;
    execution = running;
    if
    :: insert_step(true, false)
    :: insert_step(false, false)
    fi
}

inline replan_step() {
    pick(waits & ALL_STEPS, other);
    take_off(ONLY(other));
    REMOVE(again, ONLY(other));
    put(other);
    ADD(replanned, ONLY(other));
    if
    :: ADD(due, ONLY(other))
    :: skip
    fi;
    other = 0
}

/* The newest revision: other nodes, or none, are left. */
inline revise() {
    if
    :: leg_has_fired -> nodes_left = 0
    :: nodes_left == 0 -> nodes_left = 1
    :: nodes_left > 0
    fi
}

/* What waits is another node then, or due at another time, or not there. */
inline rebase() {
    revise();
    if
    :: nodes_left == 0 -> take_off(ALL_STEPS); settle()
    :: nodes_left > 0 && !STEPS_WAIT ->
        if
        :: insert_step(true, false)
        :: insert_step(false, false)
        fi
    :: nodes_left > 0 && STEPS_WAIT -> replan_step()
    fi
}

proctype operate() {
    byte phase = IDLE;
    byte done = 0;
    byte other;
    int wake_ups = NOTHING;
end:
    do
    :: atomic { phase == IDLE && done < moments && execution != resolved ->
        phase = COMMITTED;
        if
        :: execution != acknowledged ->
acknowledges: done++; acknowledge()
        :: true ->
snoozes:    done++; snooze()
        :: execution == snoozed ->
unsnoozes:  done++; come_back()
        :: RUNNING && STEPS_WAIT ->
escalates:  done++; bring_forward()
        :: (execution == acknowledged || execution == snoozed) && nodes_left > 0 ->
escalates_at_rest: done++; escalate()
        :: true ->
reassigns:  done++; reassign()
        :: RUNNING ->
rebases:    done++; rebase()
        :: execution == acknowledged || execution == snoozed ->
rebases_at_rest: done++; revise() /* for later */
        :: true ->
resolves:   done++; resolve() /* or cancel: the same path */
        fi;
        if
        :: phase == COMMITTED && wake_ups == NOTHING -> phase = IDLE
        :: else
        fi;
#ifndef BROKER
        if
        :: phase == COMMITTED -> phase = IDLE; wake_ups = NOTHING
        :: else
        fi
#endif
        }
#ifdef BROKER
    :: atomic { phase == COMMITTED -> publish(); phase = PUBLISHED }
    :: atomic { phase == PUBLISHED -> mark_dispatched(); wake_ups = NOTHING; phase = IDLE }
#endif
    :: atomic { THEY_DIE && phase != IDLE -> wake_ups = NOTHING; phase = IDLE }
#ifdef TIMER_IN_A_SECOND_TRANSACTION
    :: atomic { phase == UNFINISHED -> insert_timer(SNOOZE); wake_ups = NOTHING; phase = IDLE }
#endif
    od
}

/* ---- recovery, which publishes and never executes */

#ifdef RECOVERY_FORGETS_TIMERS
#define LOST (waits & (due | ~dispatched) & ~ALL_TIMERS)
#else
#define LOST (waits & (due | ~dispatched))
#endif

proctype recover() {
    byte key;
    int wake_ups = NOTHING;
end:
    do
    :: atomic { wake_ups == NOTHING && LOST != NOTHING ->
        pick(LOST, key);
        wake_ups = ONLY(key);
        key = 0;
        publish() }
    :: atomic { wake_ups != NOTHING -> mark_dispatched(); wake_ups = NOTHING }
    :: atomic { wake_ups != NOTHING && THEY_DIE -> wake_ups = NOTHING }
    od
}

/* ---- time, and what the broker does wrong */

#define COMING (waits & ~due)

/* What a rebase gave another time may be marked by whoever had just published it for the time before. If the
 * API dies then, it is late until recovery finds it overdue: the one case in which it is.
 */
#ifdef REPLANNED_ON_TIME_TOO
#define WOKEN_IN_TIME delayed
#else
#define WOKEN_IN_TIME (delayed | replanned)
#endif

inline come_due(key) {
#ifdef BROKER
    PROMISE(on_time, !KEEPS_MESSAGES || HAS(WOKEN_IN_TIME, key));
    ADD(broker, delayed & ONLY(key));
    REMOVE(delayed, ONLY(key));
#endif
    ADD(due, ONLY(key))
}

/* Nothing is under way, and no time is left to pass: nothing will ever happen again. */
inline at_rest() {
    PROMISE(never_lost, execution != running && execution != snoozed);
    PROMISE(never_lost, waits == NOTHING && sending == NOTHING)
}

proctype clock() {
    byte key;
end:
    do
#ifdef BROKER
    /* People do things while what came due is handled, or at a moment when all is quiet. */
    :: atomic { timeout && COMING != NOTHING ->
        pick(COMING, key);
        come_due(key);
        key = 0;
        if
        :: moments < OPERATIONS -> moments++
        :: skip
        fi }
    :: atomic { timeout && moments < OPERATIONS -> moments++ }
    :: atomic { timeout && COMING == NOTHING && moments == OPERATIONS -> at_rest(); break }
#else
    :: atomic { COMING != NOTHING -> pick(COMING, key); come_due(key); key = 0 }
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

/* Whatever runs, or is snoozed, is waited for by a row that recovery can find, or is being sent. */
proctype nothing_is_stuck() {
end:
    atomic { (RUNNING && !STEPS_WAIT && !ATTEMPTS_OPEN) ||
        (execution == snoozed && (waits & ALL_TIMERS) == NOTHING) -> PROMISE(never_lost, false) }
}

init {
    int wake_ups = NOTHING;
    byte other;
    atomic {
        if
        :: insert_timer(RESOLVE)
        :: timers = 1 /* the flow has none */
        fi;
        insert_step(false, false);
        /* Committed; published by the API, or not, if it dies. */
#ifdef BROKER
        if
        :: publish(); mark_dispatched()
        :: THEY_DIE
        fi;
#endif
        run worker();
        run clock();
        run operate();
#ifdef BROKER
#ifndef NO_RECOVERY
        run recover();
#endif
#ifdef LOSES
        run broker_loses();
#endif
#else
        run worker();
        run nothing_is_stuck();
#endif
        skip
    }
}
