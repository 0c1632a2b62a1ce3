/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedures.c: the table of what can be called on a connection
 *
 * A procedure that is not here is unknown to us, and clients fall back to an older one, or say so.
 */

#include "config.h"

#include "remote/procedures.h"

#include "remote/calls.h"

#define ANY   STASIS_ACCESS_ANY
#define READ  STASIS_ACCESS_READ
#define WRITE STASIS_ACCESS_WRITE

#define REMOTE(number, name, args, rets, access, quick, call) \
  { \
    STASIS_PROGRAM_REMOTE, number, name, args, rets, access, quick, stasis_call_##call \
  }
#define QEMU(number, name, args, rets, access, quick, call) \
  { \
    STASIS_PROGRAM_QEMU, number, name, args, rets, access, quick, stasis_call_##call \
  }
#define OWN(number, name, args, rets, access, quick, call) \
  { \
    STASIS_PROGRAM_OWN, number, name, args, rets, access, quick, stasis_call_own_##call \
  }

/* clang-format off: a table */
static const StasisProcedure procedures[] = {
  REMOTE (1, "connect-open", "zu", "", ANY, FALSE, connect_open),
  REMOTE (2, "connect-close", "", "", ANY, TRUE, connect_close),
  REMOTE (3, "connect-get-type", "", "s", READ, TRUE, connect_get_type),
  REMOTE (4, "connect-get-version", "", "U", READ, FALSE, connect_get_version),
  REMOTE (5, "connect-get-max-vcpus", "z", "i", READ, TRUE, connect_get_max_vcpus),
  REMOTE (6, "node-get-info", "", "mUiiiiii", READ, FALSE, node_get_info),
  REMOTE (7, "connect-get-capabilities", "", "s", READ, FALSE, connect_get_capabilities),
  REMOTE (8, "domain-attach-device", "Ds", "", WRITE, FALSE, domain_attach_device),
  REMOTE (9, "domain-create", "D", "", WRITE, FALSE, domain_create),
  REMOTE (10, "domain-create-xml", "su", "D", WRITE, FALSE, domain_create_xml),
  REMOTE (11, "domain-define-xml", "s", "D", WRITE, FALSE, domain_define_xml),
  REMOTE (12, "domain-destroy", "D", "", WRITE, FALSE, domain_destroy),
  REMOTE (13, "domain-detach-device", "Ds", "", WRITE, FALSE, domain_detach_device),
  REMOTE (14, "domain-get-xml-desc", "Du", "s", READ, FALSE, domain_get_xml_desc),
  REMOTE (15, "domain-get-autostart", "D", "i", READ, FALSE, domain_get_autostart),
  REMOTE (16, "domain-get-info", "D", "iUUuU", READ, TRUE, domain_get_info),
  REMOTE (18, "domain-get-max-vcpus", "D", "i", READ, FALSE, domain_get_max_vcpus),
  REMOTE (19, "domain-get-os-type", "D", "s", READ, FALSE, domain_get_os_type),
  REMOTE (20, "domain-get-vcpus", "Dii", "Vb", READ, FALSE, domain_get_vcpus),
  REMOTE (21, "connect-list-defined-domains", "i", "S", READ, FALSE, connect_list_defined_domains),
  REMOTE (22, "domain-lookup-by-id", "i", "D", READ, TRUE, domain_lookup_by_id),
  REMOTE (23, "domain-lookup-by-name", "s", "D", READ, TRUE, domain_lookup_by_name),
  REMOTE (24, "domain-lookup-by-uuid", "x", "D", READ, TRUE, domain_lookup_by_uuid),
  REMOTE (25, "connect-num-of-defined-domains", "", "i", READ, FALSE,
          connect_num_of_defined_domains),
  REMOTE (27, "domain-reboot", "Du", "", WRITE, FALSE, domain_reboot),
  REMOTE (28, "domain-resume", "D", "", WRITE, FALSE, domain_resume),
  REMOTE (29, "domain-set-autostart", "Di", "", WRITE, FALSE, domain_set_autostart),
  REMOTE (30, "domain-set-max-memory", "DU", "", WRITE, FALSE, domain_set_max_memory),
  REMOTE (31, "domain-set-memory", "DU", "", WRITE, FALSE, domain_set_memory),
  REMOTE (32, "domain-set-vcpus", "Du", "", WRITE, FALSE, domain_set_vcpus),
  REMOTE (33, "domain-shutdown", "D", "", WRITE, FALSE, domain_shutdown),
  REMOTE (34, "domain-suspend", "D", "", WRITE, FALSE, domain_suspend),
  REMOTE (35, "domain-undefine", "D", "", WRITE, FALSE, domain_undefine),
  REMOTE (37, "connect-list-domains", "i", "I", READ, FALSE, connect_list_domains),
  REMOTE (51, "connect-num-of-domains", "", "i", READ, FALSE, connect_num_of_domains),
  REMOTE (54, "domain-restore", "s", "", WRITE, FALSE, domain_restore),
  REMOTE (55, "domain-save", "Ds", "", WRITE, FALSE, domain_save),
  REMOTE (59, "connect-get-hostname", "", "s", READ, TRUE, connect_get_hostname),
  REMOTE (60, "connect-supports-feature", "i", "i", ANY, TRUE, connect_supports_feature),
  REMOTE (64, "domain-block-stats", "Ds", "lllll", READ, FALSE, domain_block_stats),
  REMOTE (65, "domain-interface-stats", "Ds", "llllllll", READ, FALSE, domain_interface_stats),
  REMOTE (66, "auth-list", "", "I", ANY, TRUE, auth_list),
  REMOTE (102, "node-get-free-memory", "", "U", READ, TRUE, node_get_free_memory),
  REMOTE (105, "connect-domain-event-register", "", "i", READ, TRUE, connect_domain_event_register),
  REMOTE (106, "connect-domain-event-deregister", "", "i", READ, TRUE,
          connect_domain_event_deregister),
  REMOTE (110, "connect-get-uri", "", "s", READ, TRUE, connect_get_uri),
  REMOTE (121, "domain-get-security-label", "D", "Mi", READ, FALSE, domain_get_security_label),
  REMOTE (122, "node-get-security-model", "", "MM", READ, TRUE, node_get_security_model),
  REMOTE (149, "connect-is-secure", "", "i", READ, TRUE, connect_is_secure),
  REMOTE (150, "domain-is-active", "D", "i", READ, TRUE, domain_is_active),
  REMOTE (151, "domain-is-persistent", "D", "i", READ, TRUE, domain_is_persistent),
  REMOTE (157, "connect-get-lib-version", "", "U", READ, TRUE, connect_get_lib_version),
  REMOTE (159, "domain-memory-stats", "Duu", "T", READ, FALSE, domain_memory_stats),
  REMOTE (160, "domain-attach-device-flags", "Dsu", "", WRITE, FALSE, domain_attach_device_flags),
  REMOTE (161, "domain-detach-device-flags", "Dsu", "", WRITE, FALSE, domain_detach_device_flags),
  REMOTE (163, "domain-get-job-info", "D", "iUUUUUUUUUUU", READ, TRUE, domain_get_job_info),
  REMOTE (164, "domain-abort-job", "D", "", WRITE, TRUE, domain_abort_job),
  REMOTE (166, "domain-migrate-set-max-downtime", "DUu", "", WRITE, FALSE,
          domain_migrate_set_max_downtime),
  REMOTE (174, "domain-update-device-flags", "Dsu", "", WRITE, FALSE, domain_update_device_flags),
  REMOTE (182, "domain-managed-save", "Du", "", WRITE, FALSE, domain_managed_save),
  REMOTE (183, "domain-has-managed-save-image", "Du", "i", READ, FALSE,
          domain_has_managed_save_image),
  REMOTE (184, "domain-managed-save-remove", "Du", "", WRITE, FALSE, domain_managed_save_remove),
  REMOTE (187, "domain-snapshot-num", "Du", "i", READ, TRUE, domain_snapshot_num),
  REMOTE (194, "domain-get-block-info", "Dsu", "UUU", READ, FALSE, domain_get_block_info),
  REMOTE (196, "domain-create-with-flags", "Du", "D", WRITE, FALSE, domain_create_with_flags),
  REMOTE (199, "domain-set-vcpus-flags", "Duu", "", WRITE, FALSE, domain_set_vcpus_flags),
  REMOTE (200, "domain-get-vcpus-flags", "Du", "i", READ, FALSE, domain_get_vcpus_flags),
  REMOTE (201, "domain-open-console", "Dzu", "", WRITE, FALSE, domain_open_console),
  REMOTE (202, "domain-is-updated", "D", "i", READ, TRUE, domain_is_updated),
  REMOTE (203, "connect-get-sysinfo", "u", "s", READ, TRUE, connect_get_sysinfo),
  REMOTE (204, "domain-set-memory-flags", "DUu", "", WRITE, FALSE, domain_set_memory_flags),
  REMOTE (207, "domain-migrate-set-max-speed", "DUu", "", WRITE, FALSE,
          domain_migrate_set_max_speed),
  REMOTE (210, "domain-inject-nmi", "Du", "", WRITE, FALSE, domain_inject_nmi),
  REMOTE (211, "domain-screenshot", "Duu", "z", WRITE, FALSE, domain_screenshot),
  REMOTE (212, "domain-get-state", "Du", "ii", READ, TRUE, domain_get_state),
  REMOTE (226, "domain-send-key", "DuuIu", "", WRITE, FALSE, domain_send_key),
  REMOTE (227, "node-get-cpu-stats", "iiu", "Ni", READ, TRUE, node_get_cpu_stats),
  REMOTE (228, "node-get-memory-stats", "iiu", "Ni", READ, TRUE, node_get_memory_stats),
  REMOTE (229, "domain-get-control-info", "Du", "uuU", READ, TRUE, domain_get_control_info),
  REMOTE (230, "domain-get-vcpu-pin-info", "Diiu", "bi", READ, FALSE, domain_get_vcpu_pin_info),
  REMOTE (231, "domain-undefine-flags", "Du", "", WRITE, FALSE, domain_undefine_flags),
  REMOTE (232, "domain-save-flags", "Dszu", "", WRITE, FALSE, domain_save_flags),
  REMOTE (233, "domain-restore-flags", "szu", "", WRITE, FALSE, domain_restore_flags),
  REMOTE (234, "domain-destroy-flags", "Du", "", WRITE, FALSE, domain_destroy_flags),
  REMOTE (235, "domain-save-image-get-xml-desc", "su", "s", WRITE, FALSE,
          domain_save_image_get_xml_desc),
  REMOTE (236, "domain-save-image-define-xml", "ssu", "", WRITE, FALSE,
          domain_save_image_define_xml),
  REMOTE (242, "domain-migrate-get-max-speed", "Du", "U", WRITE, FALSE,
          domain_migrate_get_max_speed),
  REMOTE (243, "domain-block-stats-flags", "Dsiu", "pi", READ, FALSE, domain_block_stats_flags),
  REMOTE (245, "domain-reset", "Du", "", WRITE, FALSE, domain_reset),
  REMOTE (249, "domain-open-graphics", "Duu", "", WRITE, FALSE, domain_open_graphics),
  REMOTE (258, "domain-shutdown-flags", "Du", "", WRITE, FALSE, domain_shutdown_flags),
  REMOTE (264, "domain-set-metadata", "Dizzzu", "", WRITE, FALSE, domain_set_metadata),
  REMOTE (265, "domain-get-metadata", "Dizu", "s", READ, FALSE, domain_get_metadata),
  REMOTE (273, "connect-list-all-domains", "iu", "Au", READ, FALSE, connect_list_all_domains),
  REMOTE (277, "domain-get-hostname", "Du", "s", WRITE, FALSE, domain_get_hostname),
  REMOTE (280, "domain-get-emulator-pin-info", "Diu", "bi", READ, FALSE,
          domain_get_emulator_pin_info),
  REMOTE (281, "connect-list-all-storage-pools", "iu", "Su", READ, TRUE, connect_list_nothing),
  REMOTE (283, "connect-list-all-networks", "iu", "Su", READ, TRUE, connect_list_nothing),
  REMOTE (293, "node-get-cpu-map", "iiu", "bui", READ, TRUE, node_get_cpu_map),
  REMOTE (294, "domain-fstrim", "DzUu", "", WRITE, FALSE, domain_fstrim),
  REMOTE (298, "domain-get-job-stats", "Du", "ip", READ, TRUE, domain_get_job_stats),
  REMOTE (299, "domain-migrate-get-compression-cache", "Du", "U", WRITE, FALSE,
          domain_migrate_get_compression_cache),
  REMOTE (300, "domain-migrate-set-compression-cache", "DUu", "", WRITE, FALSE,
          domain_migrate_set_compression_cache),
  REMOTE (302, "domain-migrate-begin3-params", "Dpu", "bs", WRITE, FALSE,
          domain_migrate_begin3_params),
  REMOTE (303, "domain-migrate-prepare3-params", "pbu", "bz", WRITE, FALSE,
          domain_migrate_prepare3_params),
  REMOTE (305, "domain-migrate-perform3-params", "Dzpbu", "b", WRITE, FALSE,
          domain_migrate_perform3_params),
  REMOTE (306, "domain-migrate-finish3-params", "pbui", "Db", WRITE, FALSE,
          domain_migrate_finish3_params),
  REMOTE (307, "domain-migrate-confirm3-params", "Dpbui", "", WRITE, FALSE,
          domain_migrate_confirm3_params),
  REMOTE (309, "domain-create-xml-with-files", "su", "D", WRITE, TRUE,
          domain_create_xml_with_files),
  REMOTE (310, "domain-create-with-files", "Du", "D", WRITE, TRUE, domain_create_with_files),
  REMOTE (316, "connect-domain-event-callback-register-any", "iO", "i", READ, TRUE,
          connect_domain_event_callback_register_any),
  REMOTE (317, "connect-domain-event-callback-deregister-any", "i", "", READ, TRUE,
          connect_domain_event_callback_deregister_any),
  REMOTE (335, "domain-fsfreeze", "DSu", "i", WRITE, FALSE, domain_fsfreeze),
  REMOTE (336, "domain-fsthaw", "DSu", "i", WRITE, FALSE, domain_fsthaw),
  REMOTE (337, "domain-get-time", "Du", "lu", WRITE, FALSE, domain_get_time),
  REMOTE (338, "domain-set-time", "Dluu", "", WRITE, FALSE, domain_set_time),
  REMOTE (342, "connect-get-domain-capabilities", "zzzzu", "s", WRITE, FALSE,
          connect_get_domain_capabilities),
  REMOTE (343, "domain-open-graphics-fd", "Duu", "", WRITE, FALSE, domain_open_graphics_fd),
  REMOTE (344, "connect-get-all-domain-stats", "Auu", "R", READ, FALSE,
          connect_get_all_domain_stats),
  REMOTE (349, "domain-get-fsinfo", "Du", "Fu", WRITE, FALSE, domain_get_fsinfo),
  REMOTE (350, "domain-define-xml-flags", "su", "D", WRITE, FALSE, domain_define_xml_flags),
  REMOTE (358, "domain-rename", "Dzu", "i", WRITE, FALSE, domain_rename),
  REMOTE (360, "connect-register-close-callback", "", "", READ, TRUE, connect_close_callback),
  REMOTE (361, "connect-unregister-close-callback", "", "", READ, TRUE, connect_close_callback),
  REMOTE (364, "domain-migrate-start-post-copy", "Du", "", WRITE, TRUE,
          domain_migrate_start_post_copy),
  REMOTE (387, "domain-migrate-get-max-downtime", "Du", "U", WRITE, FALSE,
          domain_migrate_get_max_downtime),
  REMOTE (388, "domain-managed-save-get-xml-desc", "Du", "s", READ, FALSE,
          domain_managed_save_get_xml_desc),
  REMOTE (389, "domain-managed-save-define-xml", "Dzu", "", WRITE, FALSE,
          domain_managed_save_define_xml),
  REMOTE (392, "domain-detach-device-alias", "Dsu", "", WRITE, FALSE, domain_detach_device_alias),
  REMOTE (426, "domain-get-messages", "Du", "S", READ, TRUE, domain_get_messages),
  REMOTE (440, "domain-save-params", "Dpu", "", WRITE, FALSE, domain_save_params),
  REMOTE (441, "domain-restore-params", "pu", "", WRITE, FALSE, domain_restore_params),
  REMOTE (442, "domain-abort-job-flags", "Du", "", WRITE, TRUE, domain_abort_job_flags),
  REMOTE (443, "domain-fd-associate", "Dsu", "", WRITE, TRUE, domain_fd_associate),
  REMOTE (449, "domain-get-autostart-once", "D", "i", READ, FALSE, domain_get_autostart_once),
  REMOTE (450, "domain-set-autostart-once", "Di", "", WRITE, FALSE, domain_set_autostart_once),

  QEMU (1, "domain-monitor-command", "Dsu", "s", WRITE, FALSE, qemu_domain_monitor_command),
  QEMU (3, "domain-agent-command", "Dsiu", "z", WRITE, FALSE, qemu_domain_agent_command),
  QEMU (4, "connect-domain-monitor-event-register", "Ozu", "i", WRITE, TRUE,
        qemu_connect_domain_monitor_event_register),
  QEMU (5, "connect-domain-monitor-event-deregister", "i", "", WRITE, TRUE,
        qemu_connect_domain_monitor_event_deregister),
  QEMU (7, "domain-monitor-command-with-files", "Dsu", "s", WRITE, FALSE,
        qemu_domain_monitor_command_with_files),

  OWN (1, "get-version", "", "u", READ, TRUE, get_version),
  OWN (2, "cancel", "u", "", READ, TRUE, cancel),
  OWN (10, "define", "sz", "D", WRITE, FALSE, define),
  OWN (11, "create", "szu", "D", WRITE, FALSE, create),
  OWN (12, "restore", "szu", "D", WRITE, FALSE, restore),
  OWN (13, "clone", "ssuzu", "AS", WRITE, FALSE, clone),
  OWN (14, "list-saved-clones", "", "s", READ, FALSE, list_saved_clones),
  OWN (15, "drop-saved-clone", "si", "", WRITE, FALSE, drop_saved_clone),
  OWN (16, "get-qemu-version", "", "s", READ, FALSE, get_qemu_version),
  OWN (17, "list-domains", "u", "R", READ, FALSE, list_domains),
  OWN (20, "domain-get-state", "D", "iz", READ, TRUE, domain_get_state),
  OWN (21, "domain-get-info", "D", "UUuUllii", READ, FALSE, domain_get_info),
  OWN (22, "domain-get-memory-image", "D", "zi", READ, FALSE, domain_get_memory_image),
  OWN (23, "domain-get-flat-file", "D", "z", READ, FALSE, domain_get_flat_file),
  OWN (24, "domain-get-image-check", "D", "iz", READ, FALSE, domain_get_image_check),
  OWN (25, "domain-get-tracked-image", "D", "z", READ, FALSE, domain_get_tracked_image),
  OWN (26, "domain-get-clone-of", "D", "zz", READ, FALSE, domain_get_clone_of),
  OWN (27, "domain-get-managed-save-path", "D", "z", READ, FALSE, domain_get_managed_save_path),
  OWN (28, "domain-get-job", "Di", "s", READ, TRUE, domain_get_job),
  OWN (30, "domain-start", "Du", "", WRITE, FALSE, domain_start),
  OWN (31, "domain-save", "Dszzzuz", "", WRITE, FALSE, domain_save),
  OWN (32, "domain-managed-save", "Du", "", WRITE, FALSE, domain_managed_save),
  OWN (33, "domain-detach-image", "Du", "", WRITE, FALSE, domain_detach_image),
  OWN (34, "domain-untrack", "D", "", WRITE, FALSE, domain_untrack),
  OWN (35, "domain-fs-freeze", "D", "u", WRITE, FALSE, domain_fs_freeze),
  OWN (36, "domain-fs-thaw", "D", "u", WRITE, FALSE, domain_fs_thaw),
  OWN (37, "domain-get-time", "D", "l", WRITE, FALSE, domain_get_time),
  OWN (38, "domain-set-time", "Dlu", "", WRITE, FALSE, domain_set_time),
  OWN (39, "domain-detach-device", "Dzzu", "i", WRITE, FALSE, domain_detach_device),
  OWN (40, "image-get-info", "s", "s", WRITE, FALSE, image_get_info),
  OWN (41, "image-define-xml", "sszu", "", WRITE, FALSE, image_define_xml),
  OWN (42, "image-check", "s", "izs", WRITE, FALSE, image_check),
  OWN (43, "image-convert", "szszz", "S", WRITE, FALSE, image_convert),
  OWN (44, "image-flatten", "ss", "", WRITE, FALSE, image_flatten),
  OWN (45, "image-draw-map", "ss", "b", WRITE, FALSE, image_draw_map),
  OWN (46, "domain-save-pipe", "Dszzzu", "", WRITE, FALSE, domain_save_pipe),
  OWN (47, "restore-pipe", "szu", "D", WRITE, FALSE, restore_pipe),
  OWN (48, "image-convert-to-pipe", "szzz", "S", WRITE, FALSE, image_convert_to_pipe),
  OWN (49, "image-convert-from-pipe", "szszz", "S", WRITE, FALSE, image_convert_from_pipe),
  OWN (50, "guests-start", "", "", WRITE, FALSE, guests_start),
  OWN (51, "guests-stop", "", "", WRITE, FALSE, guests_stop),
  OWN (52, "guests-list", "", "s", READ, FALSE, guests_list),
  OWN (53, "autostart", "", "", WRITE, FALSE, autostart),
  OWN (54, "stream-allow", "uU", "", WRITE, TRUE, stream_allow),
  OWN (60, "migrate-verdict", "si", "i", WRITE, TRUE, migrate_verdict),
  OWN (61, "domain-migrate-resolve", "Di", "i", WRITE, FALSE, domain_migrate_resolve),
  OWN (62, "domain-handover", "Dzu", "l", WRITE, FALSE, domain_handover),
  OWN (70, "check-migrate", "pbu", "s", WRITE, FALSE, check_migrate),
};
/* clang-format on */

/* One that is served. */
const StasisProcedure *
stasis_procedure_find (guint32 program, gint32 number)
{
  for (guint i = 0; i < G_N_ELEMENTS (procedures); i++)
    if (procedures[i].program == program && procedures[i].number == number)
      return &procedures[i];
  return NULL;
}

/* By its name. */
const StasisProcedure *
stasis_procedure_by_name (guint32 program, const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (procedures); i++)
    if (procedures[i].program == program && g_str_equal (procedures[i].name, name))
      return &procedures[i];
  return NULL;
}

/* All of them. */
const StasisProcedure *
stasis_procedures (guint *out_count)
{
  *out_count = G_N_ELEMENTS (procedures);
  return procedures;
}

/* Whether anything of it is served. */
gboolean
stasis_program_is_known (guint32 program)
{
  return program == STASIS_PROGRAM_REMOTE || program == STASIS_PROGRAM_QEMU
         || program == STASIS_PROGRAM_OWN;
}
