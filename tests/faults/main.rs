//! devlog under faults: kills, signals, refused system calls, full disks, damaged files, hostile input and queries,
//! clocks that jump, readers beside writers. Everything runs the real binary from outside.
//!
//! ```text
//! cargo test --release --test faults                 the short run: seconds, the same in every run of a seed
//! cargo test --release --test faults -- NAME         promises whose name contains NAME
//! DEVLOG_FAULTS=long cargo test --release --test faults        hundreds of trials each; writes FIGURES.md
//!
//! DEVLOG_FAULTS_SEED=N      another seed (1)
//! DEVLOG_FAULTS_TIMES=N     so many times the trials of a long run (1)
//! DEVLOG_FAULTS_BINARY=F    another devlog than the one of this tree
//! DEVLOG_FAULTS_FIGURES=F   where a long run writes its table (target/tmp/FIGURES.md)
//! ```
//!
//! One line a promise, then a table of what was tried: rows lost, rows doubled, processes stuck. What a machine cannot
//! try (no strace, no faketime, no right to mount) is skipped and says why. No time decides: a process counts as stuck
//! after minutes only.
//!
//! A promise is a function named as a sentence and a line in `main`. It gets a [`harness::Trial`]: how many trials,
//! chance from the seed, a place for figures. It panics when the promise is broken. It is no part of devlog's library,
//! so that it builds in seconds.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::let_underscore_must_use,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking, says what it found, and is no library"
)]

#[cfg(unix)]
mod bombs;
#[cfg(unix)]
mod calls;
#[cfg(unix)]
mod clocks;
#[cfg(unix)]
mod commands;
#[cfg(unix)]
mod content;
#[cfg(unix)]
mod copies;
#[cfg(unix)]
mod corners;
#[cfg(unix)]
mod daemon;
#[cfg(unix)]
mod damage;
#[cfg(unix)]
mod harness;
#[cfg(unix)]
mod home;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod limits;
#[cfg(unix)]
mod logs;
#[cfg(unix)]
mod lost_logs;
#[cfg(unix)]
mod memory;
#[cfg(unix)]
mod pages;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod races;
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod readers;
#[cfg(unix)]
mod rebuild;
#[cfg(unix)]
mod rejects;
#[cfg(unix)]
mod scarce;
#[cfg(unix)]
mod snapshots;
#[cfg(unix)]
mod sql;
#[cfg(unix)]
mod unread;
#[cfg(unix)]
mod writer;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    harness::main(harness::promises![
        kills::kill_nine_under_a_writer_that_tears_copies_moves_and_rewrites_loses_and_doubles_nothing,
        kills::what_was_read_stays_when_logs_are_deleted_cut_or_replaced_under_kill_nine,
        kills::a_document_that_is_rewritten_under_kill_nine_ends_as_if_read_once,
        kills::a_database_that_its_owner_writes_to_under_kill_nine_ends_as_if_read_once,
        daemon::a_query_whose_daemon_dies_never_succeeds_with_nothing,
        daemon::a_query_that_finds_no_seat_never_succeeds_with_nothing,
        daemon::a_daemon_that_is_behind_says_so_in_every_answer,
        daemon::a_signal_ends_a_daemon_whose_socket_is_gone,
        daemon::a_reader_that_pauses_gets_the_whole_answer,
        daemon::clients_of_a_stopped_daemon_end_with_a_reason,
        daemon::the_home_may_move_away_from_under_a_daemon,
        daemon::a_daemon_goes_on_after_syncs_that_failed,
        races::a_whole_lake_is_never_called_damaged_by_a_reader_that_is_slow,
        races::readers_beside_prunes_and_merges_are_answered_and_the_lake_is_never_called_damaged,
        commands::a_killed_merge_leaves_every_row_once,
        commands::a_killed_prune_has_taken_all_rows_or_none_and_they_do_not_come_back,
        commands::a_killed_check_or_rebuild_leaves_every_row_once,
        commands::a_killed_backfill_goes_on_where_it_stopped,
        commands::a_killed_export_leaves_the_old_file_or_the_whole_new_one,
        commands::a_signal_at_any_moment_ends_ingest_and_backfill_and_loses_nothing,
        commands::an_older_copy_of_the_home_is_exact_after_one_backfill,
        snapshots::a_killed_snapshot_leaves_nothing_for_good_and_a_prune_leaves_none_of_its_rows,
        calls::killed_before_any_call_that_changes_files_the_next_run_is_right,
        calls::a_refused_change_is_told_or_done_again_and_harms_nothing,
        calls::a_refused_look_is_told_and_harms_nothing,
        limits::a_disk_that_fills_up_under_kill_nine_loses_nothing_when_there_is_room_again,
        limits::a_disk_without_inodes_ends_a_backfill_with_a_reason,
        limits::few_descriptors_are_enough_or_the_reason_is_told,
        limits::a_home_that_may_not_be_written_is_named_and_still_answers,
        scarce::little_address_space_ends_a_command_and_the_next_run_is_right,
        scarce::few_threads_end_a_query_and_never_hang_it,
        unread::a_log_that_may_not_be_read_is_told_by_every_answer_that_lacks_it,
        unread::an_answer_without_a_log_that_could_not_be_read_says_so,
        damage::a_damaged_parquet_file_is_told_by_every_command_and_its_rows_are_read_again,
        damage::odd_things_in_the_home_stop_no_command_without_a_reason,
        lost_logs::a_damaged_commit_log_is_told_by_every_command_and_rebuilt_without_loss,
        lost_logs::a_log_that_was_emptied_is_never_an_empty_lake,
        rebuild::a_flipped_bit_gives_no_other_sum_and_fsck_sees_it,
        rebuild::a_rebuild_does_not_take_damaged_rows_for_good,
        rebuild::a_rebuild_deletes_no_file_that_it_cannot_read,
        rebuild::one_failed_read_makes_no_rebuild_leave_a_whole_file_out,
        copies::an_event_is_in_the_lake_once_however_far_apart_its_copies_are,
        copies::the_memory_budget_does_not_change_what_is_in_the_lake,
        readers::other_engines_beside_a_writer_see_whole_versions_only,
        readers::queries_beside_a_writer_go_forwards_and_see_each_row_once,
        sql::sql_writes_nothing_and_reads_no_file,
        bombs::a_query_ends_at_its_time_limit_and_stays_in_its_memory_whatever_it_asks,
        bombs::a_daemon_outlives_every_query_and_stops_working_on_what_nobody_waits_for,
        memory::long_bad_lines_stay_within_the_memory_budget,
        memory::many_files_that_grow_at_once_stay_within_bounds,
        memory::an_idle_daemon_over_very_many_small_logs_keeps_little_of_each,
        memory::merging_files_with_rows_of_forty_megabytes_stays_within_the_memory_budget,
        rejects::bad_lines_stay_within_the_memory_budget,
        clocks::a_clock_that_jumped_ahead_deletes_nothing_and_keeps_new_rows,
        clocks::retention_still_deletes_what_is_old,
        clocks::a_clock_that_jumps_between_runs_loses_and_doubles_nothing,
        clocks::odd_zones_are_used_or_named,
        hostile::bad_lines_cost_no_good_one,
        hostile::a_line_that_is_bad_in_any_byte_costs_no_other_line,
        hostile::pipes_sockets_devices_and_loops_among_the_logs_block_nothing,
        hostile::packed_logs_that_are_bombs_or_broken_cost_no_memory_and_no_other_log,
        hostile::broken_databases_are_named_and_nobodys_file_is_touched,
        corners::names_of_all_kinds_are_read_and_printed_without_their_control_characters,
        corners::settings_views_and_descriptions_that_are_pipes_stop_no_command_for_ever,
        corners::files_are_for_their_owner_only_under_any_umask,
        corners::a_home_that_everybody_may_write_is_refused,
        pages::every_test_that_a_page_names_is_there,
    ])
}

#[cfg(not(unix))]
fn main() {
    println!("skipped: kills, signals and system calls are those of Unix");
}
