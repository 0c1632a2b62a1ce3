/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls.h: the functions behind the procedures, by the files that they are in
 *
 * Each carries out one row of the table (procedures.c), whose name it has.
 */

#pragma once

#include "remote/call.h"

G_BEGIN_DECLS

#define STASIS_CALL(name) gboolean stasis_call_##name (StasisCall *call, GError **error)

/* calls-connect.c */
STASIS_CALL (auth_list);
STASIS_CALL (connect_open);
STASIS_CALL (connect_close);
STASIS_CALL (connect_supports_feature);
STASIS_CALL (connect_get_type);
STASIS_CALL (connect_get_uri);
STASIS_CALL (connect_is_secure);
STASIS_CALL (connect_close_callback);

/* calls-host.c */
STASIS_CALL (connect_get_version);
STASIS_CALL (connect_get_lib_version);
STASIS_CALL (connect_get_hostname);
STASIS_CALL (connect_get_max_vcpus);
STASIS_CALL (connect_get_capabilities);
STASIS_CALL (connect_get_domain_capabilities);
STASIS_CALL (connect_get_sysinfo);
STASIS_CALL (node_get_info);
STASIS_CALL (node_get_security_model);

/* calls-list.c */
STASIS_CALL (connect_num_of_domains);
STASIS_CALL (connect_list_domains);
STASIS_CALL (connect_num_of_defined_domains);
STASIS_CALL (connect_list_defined_domains);
STASIS_CALL (connect_list_all_domains);
STASIS_CALL (connect_list_nothing);
STASIS_CALL (domain_lookup_by_id);
STASIS_CALL (domain_lookup_by_name);
STASIS_CALL (domain_lookup_by_uuid);

/* calls-info.c */
STASIS_CALL (domain_get_info);
STASIS_CALL (domain_get_state);
STASIS_CALL (domain_get_xml_desc);
STASIS_CALL (domain_get_os_type);
STASIS_CALL (domain_get_autostart);
STASIS_CALL (domain_get_autostart_once);
STASIS_CALL (domain_get_security_label);
STASIS_CALL (domain_get_messages);
STASIS_CALL (domain_has_managed_save_image);
STASIS_CALL (domain_is_active);
STASIS_CALL (domain_is_persistent);
STASIS_CALL (domain_is_updated);
STASIS_CALL (domain_snapshot_num);

/* calls-life.c */
STASIS_CALL (domain_define_xml);
STASIS_CALL (domain_define_xml_flags);
STASIS_CALL (domain_create_xml);
STASIS_CALL (domain_create);
STASIS_CALL (domain_create_with_flags);
STASIS_CALL (domain_undefine);
STASIS_CALL (domain_undefine_flags);
STASIS_CALL (domain_destroy);
STASIS_CALL (domain_destroy_flags);
STASIS_CALL (domain_shutdown);
STASIS_CALL (domain_shutdown_flags);
STASIS_CALL (domain_reboot);
STASIS_CALL (domain_reset);
STASIS_CALL (domain_suspend);
STASIS_CALL (domain_resume);
STASIS_CALL (domain_set_autostart);
STASIS_CALL (domain_set_autostart_once);

/* calls-device.c */
STASIS_CALL (domain_attach_device);
STASIS_CALL (domain_attach_device_flags);
STASIS_CALL (domain_detach_device);
STASIS_CALL (domain_detach_device_alias);
STASIS_CALL (domain_detach_device_flags);
STASIS_CALL (domain_get_max_vcpus);
STASIS_CALL (domain_get_vcpus_flags);
STASIS_CALL (domain_set_max_memory);
STASIS_CALL (domain_set_memory);
STASIS_CALL (domain_set_memory_flags);
STASIS_CALL (domain_set_vcpus);
STASIS_CALL (domain_set_vcpus_flags);
STASIS_CALL (domain_update_device_flags);

/* calls-save.c */
STASIS_CALL (domain_save);
STASIS_CALL (domain_save_flags);
STASIS_CALL (domain_save_params);
STASIS_CALL (domain_managed_save);
STASIS_CALL (domain_managed_save_remove);
STASIS_CALL (domain_restore);
STASIS_CALL (domain_restore_flags);
STASIS_CALL (domain_restore_params);

/* calls-image.c */
STASIS_CALL (domain_save_image_get_xml_desc);
STASIS_CALL (domain_save_image_define_xml);
STASIS_CALL (domain_managed_save_get_xml_desc);
STASIS_CALL (domain_managed_save_define_xml);

/* calls-job.c */
STASIS_CALL (domain_get_job_info);
STASIS_CALL (domain_get_job_stats);
STASIS_CALL (domain_get_control_info);
STASIS_CALL (domain_abort_job);
STASIS_CALL (domain_abort_job_flags);

/* calls-stats.c */
STASIS_CALL (connect_get_all_domain_stats);

/* calls-event.c */
STASIS_CALL (connect_domain_event_callback_register_any);
STASIS_CALL (connect_domain_event_callback_deregister_any);
STASIS_CALL (connect_domain_event_register);
STASIS_CALL (connect_domain_event_deregister);
STASIS_CALL (qemu_connect_domain_monitor_event_register);
STASIS_CALL (qemu_connect_domain_monitor_event_deregister);

/* calls-fds.c */
STASIS_CALL (domain_create_xml_with_files);
STASIS_CALL (domain_create_with_files);
STASIS_CALL (domain_open_graphics);
STASIS_CALL (domain_open_graphics_fd);
STASIS_CALL (domain_fd_associate);
STASIS_CALL (qemu_domain_monitor_command_with_files);

/* calls-agent.c */
STASIS_CALL (domain_get_time);
STASIS_CALL (domain_set_time);
STASIS_CALL (domain_fsfreeze);
STASIS_CALL (domain_fsthaw);
STASIS_CALL (domain_fstrim);
STASIS_CALL (domain_get_hostname);
STASIS_CALL (domain_get_fsinfo);
STASIS_CALL (qemu_domain_agent_command);

/* calls-usage.c */
STASIS_CALL (domain_get_block_info);
STASIS_CALL (domain_block_stats);
STASIS_CALL (domain_block_stats_flags);
STASIS_CALL (domain_interface_stats);
STASIS_CALL (domain_memory_stats);
STASIS_CALL (domain_get_vcpus);
STASIS_CALL (domain_get_vcpu_pin_info);
STASIS_CALL (domain_get_emulator_pin_info);

/* calls-keys.c */
STASIS_CALL (domain_send_key);
STASIS_CALL (domain_inject_nmi);

/* calls-metadata.c */
STASIS_CALL (domain_get_metadata);
STASIS_CALL (domain_set_metadata);
STASIS_CALL (domain_rename);

/* calls-migrate.c */
STASIS_CALL (domain_migrate_begin3_params);
STASIS_CALL (domain_migrate_prepare3_params);
STASIS_CALL (domain_migrate_perform3_params);
STASIS_CALL (domain_migrate_finish3_params);
STASIS_CALL (domain_migrate_confirm3_params);
STASIS_CALL (domain_migrate_start_post_copy);

/* calls-migrate-check.c */
STASIS_CALL (own_check_migrate);

/* calls-migrate-limits.c */
STASIS_CALL (domain_migrate_set_max_downtime);
STASIS_CALL (domain_migrate_get_max_downtime);
STASIS_CALL (domain_migrate_set_max_speed);
STASIS_CALL (domain_migrate_get_max_speed);
STASIS_CALL (domain_migrate_set_compression_cache);
STASIS_CALL (domain_migrate_get_compression_cache);

/* calls-node.c */
STASIS_CALL (node_get_free_memory);
STASIS_CALL (node_get_cpu_stats);
STASIS_CALL (node_get_memory_stats);
STASIS_CALL (node_get_cpu_map);

/* calls-stream.c */
STASIS_CALL (domain_open_console);
STASIS_CALL (domain_screenshot);
STASIS_CALL (own_stream_allow);

/* calls-qemu.c */
STASIS_CALL (qemu_domain_monitor_command);

/* calls-own.c */
STASIS_CALL (own_get_version);
STASIS_CALL (own_cancel);
STASIS_CALL (own_get_qemu_version);
STASIS_CALL (own_list_domains);
STASIS_CALL (own_domain_get_state);
STASIS_CALL (own_domain_get_info);
STASIS_CALL (own_domain_get_memory_image);
STASIS_CALL (own_domain_get_flat_file);
STASIS_CALL (own_domain_get_image_check);
STASIS_CALL (own_domain_get_tracked_image);
STASIS_CALL (own_domain_get_clone_of);
STASIS_CALL (own_domain_get_managed_save_path);
STASIS_CALL (own_domain_get_job);

/* calls-own-life.c */
STASIS_CALL (own_define);
STASIS_CALL (own_create);
STASIS_CALL (own_restore);
STASIS_CALL (own_clone);
STASIS_CALL (own_list_saved_clones);
STASIS_CALL (own_drop_saved_clone);
STASIS_CALL (own_domain_start);
STASIS_CALL (own_domain_save);
STASIS_CALL (own_domain_managed_save);
STASIS_CALL (own_domain_detach_image);
STASIS_CALL (own_domain_untrack);

/* calls-own-agent.c */
STASIS_CALL (own_domain_fs_freeze);
STASIS_CALL (own_domain_fs_thaw);
STASIS_CALL (own_domain_get_time);
STASIS_CALL (own_domain_set_time);

/* calls-own-device.c */
STASIS_CALL (own_domain_detach_device);

/* calls-own-handover.c */
STASIS_CALL (own_domain_handover);

/* calls-own-convert.c */
STASIS_CALL (own_image_convert);
STASIS_CALL (own_image_convert_from_pipe);
STASIS_CALL (own_image_convert_to_pipe);

/* calls-own-image.c */
STASIS_CALL (own_image_get_info);
STASIS_CALL (own_image_define_xml);
STASIS_CALL (own_image_check);
STASIS_CALL (own_image_flatten);
STASIS_CALL (own_image_draw_map);

/* calls-own-migrate.c */
STASIS_CALL (own_migrate_verdict);
STASIS_CALL (own_domain_migrate_resolve);

/* calls-own-pipe.c */
STASIS_CALL (own_domain_save_pipe);
STASIS_CALL (own_restore_pipe);

/* calls-own-guests.c */
STASIS_CALL (own_guests_start);
STASIS_CALL (own_guests_stop);
STASIS_CALL (own_guests_list);
STASIS_CALL (own_autostart);

#undef STASIS_CALL

G_END_DECLS
