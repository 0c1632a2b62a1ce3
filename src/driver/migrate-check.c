/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check.c: can a guest come here?
 *
 * One list serves the migration itself, which ends at the first finding that is not ok, and people,
 * who see all of them.  Nothing is started for a guest and nothing is made; only what an emulator
 * can do is asked of it, where that is not known yet.
 */

#include "config.h"

#include "driver/migrate-check.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/error.h"
#include "driver/huge-room.h"
#include "driver/look.h"
#include "driver/memory-room.h"
#include "driver/migrate-host.h"
#include "driver/parse-new.h"
#include "driver/registry.h"
#include "driver/resource.h"
#include "image/facts.h"

#define CLOCK_SLACK_US  (G_GINT64_CONSTANT (60) * G_USEC_PER_SEC)
#define MEMORY_SLACK    (G_GUINT64_CONSTANT (128) << 20) /* octets: QEMU itself, video memory */
#define FEATURES_LISTED 16u

static void
finding_free (gpointer data)
{
  StasisMigrateFinding *finding = data;
  g_free (finding->what);
  g_free (finding->needs);
  g_free (finding);
}

static StasisMigrateFinding *
add (GPtrArray *findings, const char *what)
{
  StasisMigrateFinding *finding = g_new0 (StasisMigrateFinding, 1);
  finding->what = g_strdup (what);
  finding->ok = TRUE;
  g_ptr_array_add (findings, finding);
  return finding;
}

/* Ok, or not. */
void
stasis_migrate_findings_add (GPtrArray *findings, const char *what, GError *error_take)
{
  StasisMigrateFinding *finding = add (findings, what);
  if (error_take == NULL)
    return;
  finding->ok = FALSE;
  finding->needs = g_strdup (error_take->message);
  finding->domain = error_take->domain;
  finding->code = error_take->code;
  g_error_free (error_take);
}

/* Ok, but. */
void
stasis_migrate_findings_warn (GPtrArray *findings, const char *what, char *text_take)
{
  add (findings, what)->needs = text_take;
}

/* The first that is not. */
gboolean
stasis_migrate_findings_throw (const GPtrArray *findings, GError **error)
{
  for (guint i = 0; i < findings->len; i++)
    {
      const StasisMigrateFinding *finding = g_ptr_array_index (findings, i);
      if (finding->ok)
        continue;
      g_set_error (error, finding->domain, finding->code, "%s: %s", finding->what, finding->needs);
      return FALSE;
    }
  return TRUE;
}

static const StasisJson *
qemu_member (const StasisMigrateCheck *check, const char *key)
{
  return stasis_json_get (check->begin->qemu, key);
}

/* Where there is no definition the source's, which it says it runs by. */
static const char *
emulator_of (const StasisMigrateCheck *check)
{
  return check->wanted != NULL && check->wanted->emulator != NULL
             ? check->wanted->emulator
             : stasis_json_string (qemu_member (check, STASIS_IMAGE_FACTS_EMULATOR), "");
}

static void
check_host (const StasisMigrateCheck *check, GPtrArray *findings)
{
  GError *error = NULL;
  g_auto (StasisMigrateHost) host = { 0 };
  stasis_migrate_host_fill (&host, check->driver->paths);
  stasis_migrate_host_check_other (&check->begin->source, &host, &error);
  stasis_migrate_findings_add (findings, _ ("host"), error);
}

/* Free, or those of the same domain, which does not run. */
static void
check_name (const StasisMigrateCheck *check, GPtrArray *findings)
{
  GError *error = NULL;
  const StasisDomainDef *def = check->wanted;
  g_autoptr (StasisStatus) status = NULL;
  if (stasis_registry_check_unique (check->driver, def->name, def->uuid, &error)
      && stasis_look_only (check->driver, def->name, &status, &error) == STASIS_LOOK_ACTIVE)
    g_set_error (&error, STASIS_ERROR, STASIS_ERROR_EXISTS, _ ("domain '%s' is running here"),
                 def->name);
  stasis_migrate_findings_add (findings, _ ("name and UUID"), error);
  g_autofree char *managed = stasis_paths_managed_save (check->driver->paths, def->name);
  if (g_file_test (managed, G_FILE_TEST_EXISTS))
    stasis_migrate_findings_warn (
        findings, _ ("managed save"),
        g_strdup_printf (_ ("'%s' is here, and is what a later start of the domain would resume"),
                         managed));
}

static void
check_abi (const StasisMigrateCheck *check, GPtrArray *findings)
{
  GError *error = NULL;
  if (check->unread != NULL)
    error = g_error_copy (check->unread);
  else if (g_strcmp0 (check->sent->uuid, check->begin->uuid) != 0)
    stasis_throw_refused (&error, _ ("the definition is of another domain, with uuid %s"),
                          check->sent->uuid);
  else
    stasis_domain_def_check_abi (check->sent, check->wanted, &error);
  stasis_migrate_findings_add (findings, _ ("definition"), error);
}

static void
check_machine (const StasisMigrateCheck *check, const StasisQemuCaps *caps, GPtrArray *findings)
{
  GError *error = NULL;
  const char *machine = stasis_json_string (qemu_member (check, STASIS_IMAGE_FACTS_MACHINE), "");
  const char *found = *machine != '\0' ? stasis_qemu_caps_canonical_machine (caps, machine) : NULL;
  if (found == NULL)
    g_set_error (&error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                 _ ("'%1$s' (QEMU %2$s) has no machine '%3$s', which the guest runs on"),
                 emulator_of (check), stasis_qemu_caps_version (caps), machine);
  else if (check->unread == NULL && g_strcmp0 (found, check->wanted->os.machine) != 0)
    stasis_throw_refused (&error, _ ("the guest runs on '%1$s', and the definition says '%2$s'"),
                          machine, check->wanted->os.machine);
  stasis_migrate_findings_add (findings, _ ("machine"), error);
}

/* A later QEMU may send what an earlier one does not know, though the machine is the same. */
static void
check_version (const StasisMigrateCheck *check, const StasisQemuCaps *caps, GPtrArray *findings)
{
  const char *source = stasis_json_string (qemu_member (check, STASIS_IMAGE_FACTS_VERSION), "");
  const char *here = stasis_qemu_caps_version (caps);
  guint source_major = 0;
  guint source_minor = 0;
  guint here_major = 0;
  guint here_minor = 0;
  if (sscanf (source, "%5u.%5u", &source_major, &source_minor) != 2
      || sscanf (here, "%5u.%5u", &here_major, &here_minor) != 2 || here_major > source_major
      || (here_major == source_major && here_minor >= source_minor))
    stasis_migrate_findings_add (findings, _ ("QEMU's version"), NULL);
  else
    stasis_migrate_findings_warn (
        findings, _ ("QEMU's version"),
        g_strdup_printf (_ ("QEMU %1$s is older than the source's %2$s: it may refuse what that "
                            "sends"),
                         here, source));
}

static void
check_capabilities (const StasisMigrateCheck *check, const StasisQemuCaps *caps,
                    GPtrArray *findings)
{
  GError *error = NULL;
  const StasisJson *needed = qemu_member (check, STASIS_IMAGE_FACTS_CAPABILITIES);
  for (guint i = 0; error == NULL && i < stasis_json_array_length (needed); i++)
    {
      const char *name = stasis_json_string (stasis_json_array_get (needed, i), "");
      if (!stasis_qemu_caps_has_migration (caps, name))
        g_set_error (&error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                     _ ("'%1$s' (QEMU %2$s) lacks the migration capability '%3$s'"),
                     emulator_of (check), stasis_qemu_caps_version (caps), name);
    }
  stasis_migrate_findings_add (findings, _ ("QEMU's capabilities"), error);
}

static void
check_startable (const StasisMigrateCheck *check, GPtrArray *findings)
{
  GError *error = NULL;
  stasis_driver_check_startable (check->driver, check->wanted, &error);
  stasis_migrate_findings_add (findings, _ ("devices"), error);
}

static void
check_emulator (const StasisMigrateCheck *check, GPtrArray *findings)
{
  GError *error = NULL;
  g_autoptr (StasisQemuCaps) caps
      = stasis_driver_get_caps (check->driver, emulator_of (check), &error);
  stasis_migrate_findings_add (findings, _ ("emulator"), error);
  if (caps == NULL)
    return;
  check_machine (check, caps, findings);
  check_version (check, caps, findings);
  check_capabilities (check, caps, findings);
  if (check->unread == NULL)
    check_startable (check, findings);
}

/* The state of a guest under KVM goes to KVM only, and the other way round. */
static void
check_accelerator (const StasisMigrateCheck *check, GPtrArray *findings)
{
  GError *error = NULL;
  const char *source = stasis_json_string (qemu_member (check, STASIS_IMAGE_FACTS_ACCELERATOR), "");
  const gboolean is_kvm = check->wanted->type == STASIS_DOMAIN_TYPE_KVM;
  g_autofree char *kvm = g_strconcat (check->root, "/dev/kvm", NULL);
  if (g_str_equal (source, "kvm") != is_kvm)
    stasis_throw_refused (&error, _ ("the guest runs by '%1$s', and would by '%2$s' here"), source,
                          is_kvm ? "kvm" : "tcg");
  else if (is_kvm && access (kvm, F_OK) < 0)
    g_set_error (&error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ ("there is no KVM here"));
  stasis_migrate_findings_add (findings, _ ("acceleration"), error);
}

static void
check_devices (const StasisMigrateCheck *check, GPtrArray *findings)
{
  static const char *const none[] = { NULL };
  const char *const *known = check->devices != NULL ? check->devices : none;
  for (gsize i = 0; check->begin->devices != NULL && check->begin->devices[i] != NULL; i++)
    {
      GError *error = NULL;
      const char *device = check->begin->devices[i];
      g_autofree char *what = g_strdup_printf (_ ("external device '%s'"), device);
      if (!g_strv_contains (known, device))
        g_set_error (&error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                     _ ("it cannot come here: nothing here takes its state"));
      stasis_migrate_findings_add (findings, what, error);
    }
}

/* Firmware and kernels are read when QEMU starts; a bridge has to be there. */
static void
check_files (const StasisMigrateCheck *check, GPtrArray *findings)
{
  g_autoptr (GPtrArray) resources = stasis_resources_list (check->wanted);
  for (guint i = 0; i < resources->len; i++)
    {
      const StasisResource *resource = g_ptr_array_index (resources, i);
      const gboolean is_file
          = resource->kind == STASIS_RESOURCE_LOADER || resource->kind == STASIS_RESOURCE_BLOB;
      const gboolean is_tap = resource->kind == STASIS_RESOURCE_TAP && resource->bridge != NULL;
      g_autofree char *path
          = is_file  ? g_strdup (resource->path)
            : is_tap ? g_build_filename ("/", check->root, "sys/class/net", resource->bridge, NULL)
                     : NULL;
      if (path == NULL)
        continue;
      GError *error = NULL;
      if (access (path, F_OK) < 0)
        g_set_error (&error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("there is no %1$s '%2$s' here"),
                     is_tap ? _ ("bridge") : _ ("file"), is_tap ? resource->bridge : path);
      stasis_migrate_findings_add (findings, resource->key, error);
    }
}

static gboolean
check_huge_pages (const StasisMigrateCheck *check, GError **error)
{
  const GPtrArray *pages = check->wanted->memory_backing.pages;
  const StasisHugepageDef *page = pages->len > 0 ? g_ptr_array_index (pages, 0) : NULL;
  guint64 page_kib = page != NULL && page->size > 0 ? (guint64) page->size : 0;
  guint64 room = 0;
  const guint64 wanted = check->begin->memory_kib * 1024;
  if (!stasis_huge_room (check->root, &page_kib, &room))
    {
      g_autofree char *size = g_strdup_printf (_ (" of %" PRIu64 " KiB"), page_kib);
      return stasis_throw_refused (error, _ ("this host has no huge pages%s"),
                                   page_kib != 0 ? size : "");
    }
  if (room >= wanted)
    return TRUE;
  g_autofree char *wanted_size = g_format_size_full (wanted, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *room_size = g_format_size_full (room, G_FORMAT_SIZE_IEC_UNITS);
  return stasis_throw_refused (
      error, _ ("the guest takes %1$s of huge pages of %2$" PRIu64 " KiB, and %3$s are free here"),
      wanted_size, page_kib, room_size);
}

static void
check_memory (const StasisMigrateCheck *check, GPtrArray *findings)
{
  GError *error = NULL;
  guint64 room = 0;
  const guint64 wanted = check->begin->memory_kib * 1024 + MEMORY_SLACK;
  if (check->wanted->memory_backing.hugepages)
    {
      check_huge_pages (check, &error);
      stasis_migrate_findings_add (findings, _ ("memory"), error);
      return;
    }
  if (!stasis_memory_room (check->root, getpid (), &room))
    {
      stasis_migrate_findings_warn (findings, _ ("memory"),
                                    g_strdup (_ ("this host does not tell what is free")));
      return;
    }
  if (room < wanted)
    {
      g_autofree char *wanted_size = g_format_size_full (wanted, G_FORMAT_SIZE_IEC_UNITS);
      g_autofree char *room_size = g_format_size_full (room, G_FORMAT_SIZE_IEC_UNITS);
      stasis_throw_refused (&error, _ ("the guest takes %1$s, and %2$s can be had here"),
                            wanted_size, room_size);
    }
  stasis_migrate_findings_add (findings, _ ("memory"), error);
}

static void
check_clock (const StasisMigrateCheck *check, GPtrArray *findings)
{
  const gint64 then = check->begin->time_us;
  /* As numbers without a sign, for the source may say anything. */
  const guint64 apart = check->now_us > then ? (guint64) check->now_us - (guint64) then
                                             : (guint64) then - (guint64) check->now_us;
  if (then == 0 || apart <= CLOCK_SLACK_US)
    stasis_migrate_findings_add (findings, _ ("clock"), NULL);
  else
    stasis_migrate_findings_warn (
        findings, _ ("clock"),
        g_strdup_printf (_ ("the hosts' clocks are %" PRIu64 " seconds apart"),
                         apart / G_USEC_PER_SEC));
}

/* All of it. */
GPtrArray *
stasis_migrate_check (const StasisMigrateCheck *check)
{
  GPtrArray *findings = g_ptr_array_new_with_free_func (finding_free);
  const gboolean has_definition = check->wanted != NULL;
  check_host (check, findings);
  if (has_definition)
    check_name (check, findings);
  check_abi (check, findings);
  if ((check->flags & STASIS_MIGRATE_OFFLINE) != 0)
    return findings;
  check_emulator (check, findings);
  if (has_definition)
    check_accelerator (check, findings);
  check_devices (check, findings);
  if (has_definition)
    {
      stasis_migrate_check_disks (check, findings);
      check_files (check, findings);
      check_memory (check, findings);
    }
  check_clock (check, findings);
  return findings;
}

/* Not a feature, but how one QEMU does something; another has other ones ("x-..."). */
static gboolean
is_internal (const char *property)
{
  return g_str_has_prefix (property, "x-");
}

/* What the guest has seen must be there; what it has not may be. */
gboolean
stasis_migrate_check_cpu (const StasisJson *source, const StasisJson *here, GError **error)
{
  const StasisJson *seen = source != NULL ? stasis_json_get (source, "props") : NULL;
  const StasisJson *has = here != NULL ? stasis_json_get (here, "props") : NULL;
  g_autoptr (GString) missing = g_string_new (NULL);
  guint count = 0;
  if (seen == NULL || has == NULL)
    return TRUE;
  for (guint i = 0; i < stasis_json_object_size (seen); i++)
    {
      const char *name = stasis_json_object_key (seen, i);
      const StasisJson *now = stasis_json_get (has, name);
      if (!stasis_json_boolean (stasis_json_object_value (seen, i), FALSE) || is_internal (name)
          || (now != NULL && stasis_json_boolean (now, TRUE)))
        continue;
      if (count++ < FEATURES_LISTED)
        g_string_append_printf (missing, "%s%s", missing->len > 0 ? ", " : "", name);
    }
  if (count == 0)
    return TRUE;
  if (count > FEATURES_LISTED)
    g_string_append (missing, ", ...");
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("the CPU here lacks what the guest has seen: %s"), missing->str);
  return FALSE;
}
