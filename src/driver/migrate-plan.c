/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-plan.c: what of a migration's options QEMU is told
 *
 * Capabilities are told to both ends, or to one: which, stands in the table.  Some of them nobody
 * asks for, but they make a migration safer (late-block-activate: the destination does not touch
 * the disks before it runs) or faster; where they are missing it is done without them, and said.
 */

#include "config.h"

#include "driver/migrate-params.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#define MIB (1024u * 1024)

#define AT_SOURCE (1u << STASIS_MIGRATE_SIDE_SOURCE)
#define AT_DEST   (1u << STASIS_MIGRATE_SIDE_DEST)
#define AT_BOTH   (AT_SOURCE | AT_DEST)

typedef struct
{
  guint flag; /* that wants it; 0: always */
  const char *capability;
  const char *option; /* NULL: it would be of use only */
  guint sides;
} Wish;

static const Wish wishes[] = {
  { 0, "events", NULL, AT_BOTH },
  { 0, "return-path", NULL, AT_BOTH },
  { 0, "pause-before-switchover", NULL, AT_SOURCE },
  { 0, "late-block-activate", NULL, AT_DEST },
  { 0, "switchover-ack", NULL, AT_BOTH },
  { STASIS_MIGRATE_AUTO_CONVERGE, "auto-converge", "--auto-converge", AT_SOURCE },
  { STASIS_MIGRATE_POSTCOPY, "postcopy-ram", "--postcopy", AT_BOTH },
  { STASIS_MIGRATE_POSTCOPY, "postcopy-preempt", NULL, AT_BOTH },
  { STASIS_MIGRATE_POSTCOPY, "postcopy-blocktime", NULL, AT_DEST },
  { STASIS_MIGRATE_PARALLEL, "multifd", "--parallel", AT_BOTH },
  { STASIS_MIGRATE_ZEROCOPY, "zero-copy-send", "--zerocopy", AT_SOURCE },
};

typedef struct
{
  StasisMigratePlan *plan; /* (borrowed) */
  guint side;              /* AT_SOURCE or AT_DEST */
  GHashTable *capabilities;
  const StasisJson *parameters; /* (nullable) */
} Builder;

static void
lack_free (gpointer data)
{
  StasisMigrateLack *lack = data;
  g_free (lack->reason);
  g_free (lack);
}

static void
add_lack (StasisMigratePlan *plan, const char *option, char *reason_take)
{
  StasisMigrateLack *lack = g_new0 (StasisMigrateLack, 1);
  lack->option = option;
  lack->reason = reason_take;
  g_ptr_array_add (plan->lacks, lack);
}

static gboolean
want (const Builder *builder, const Wish *wish)
{
  if ((wish->sides & builder->side) == 0)
    return TRUE;
  if (!g_hash_table_contains (builder->capabilities, wish->capability))
    {
      add_lack (builder->plan, wish->option,
                g_strdup_printf (_ ("it lacks the migration capability '%s'"), wish->capability));
      return FALSE;
    }
  g_ptr_array_add (builder->plan->capabilities, g_strdup (wish->capability));
  if (wish->sides == AT_BOTH)
    g_ptr_array_add (wish->option != NULL ? builder->plan->needed : builder->plan->offers,
                     (gpointer) wish->capability);
  return TRUE;
}

/* Takes the value. */
static void
tell (const Builder *builder, const char *parameter, const char *option, StasisJson *value_take)
{
  if (builder->parameters == NULL || stasis_json_get (builder->parameters, parameter) != NULL)
    {
      stasis_json_set (builder->plan->parameters, parameter, value_take);
      return;
    }
  add_lack (builder->plan, option,
            g_strdup_printf (_ ("it lacks the migration parameter '%s'"), parameter));
  stasis_json_unref (value_take);
}

static void
tell_number (const Builder *builder, guint sides, const char *parameter, const char *option,
             gint value)
{
  if ((builder->side & sides) != 0 && value != STASIS_MIGRATE_UNSET)
    tell (builder, parameter, option, stasis_json_new_int (value));
}

static void
tell_mib (const Builder *builder, const char *parameter, const char *option, guint64 value)
{
  tell (builder, parameter, option, stasis_json_new_uint (value * MIB));
}

static gboolean
has_method (const StasisMigrateRequest *request, const char *method)
{
  return request->compression != NULL
         && g_strv_contains ((const char *const *) request->compression, method);
}

static void
tell_multifd_compression (const Builder *builder, gboolean is_compressed,
                          const StasisMigrateRequest *request)
{
  const gboolean is_zlib = has_method (request, "zlib");
  if (!is_compressed && !is_zlib && !has_method (request, "zstd"))
    return;
  tell (builder, "multifd-compression", "--comp-methods",
        stasis_json_new_string (is_zlib ? "zlib" : "zstd"));
  tell_number (builder, AT_SOURCE, "multifd-zlib-level", "--comp-zlib-level", request->zlib_level);
  tell_number (builder, AT_SOURCE, "multifd-zstd-level", "--comp-zstd-level", request->zstd_level);
}

static void
tell_compression (const Builder *builder, guint flags, const StasisMigrateRequest *request)
{
  const gboolean is_compressed = (flags & STASIS_MIGRATE_COMPRESSED) != 0;
  if ((flags & STASIS_MIGRATE_PARALLEL) != 0)
    {
      tell_multifd_compression (builder, is_compressed, request);
      return;
    }
  const gboolean is_mt = has_method (request, "mt");
  const Wish xbzrle = { 0, "xbzrle", "--compressed", AT_BOTH };
  const Wish mt = { 0, "compress", "--comp-methods mt", AT_BOTH };
  if (((is_compressed && !is_mt) || has_method (request, "xbzrle")) && want (builder, &xbzrle)
      && request->xbzrle_cache != 0)
    tell (builder, "xbzrle-cache-size", "--comp-xbzrle-cache",
          stasis_json_new_uint (request->xbzrle_cache));
  if (!is_mt || !want (builder, &mt))
    return;
  tell_number (builder, AT_SOURCE, "compress-level", "--comp-mt-level", request->comp_mt_level);
  tell_number (builder, AT_SOURCE, "compress-threads", "--comp-mt-threads",
               request->comp_mt_threads);
  tell_number (builder, AT_DEST, "decompress-threads", "--comp-mt-dthreads",
               request->comp_mt_dthreads);
}

/* How fast, and how long the guest may stand still.  max-bandwidth is always told: QEMU's own
 * default is a limit. */
static void
tell_speed (const Builder *builder, const StasisMigrateRequest *request)
{
  if ((builder->side & AT_SOURCE) == 0)
    return;
  tell_mib (builder, "max-bandwidth", "--bandwidth", request->bandwidth);
  if (request->postcopy_bandwidth != 0)
    tell_mib (builder, "max-postcopy-bandwidth", "--postcopy-bandwidth",
              request->postcopy_bandwidth);
  if (request->switchover_bandwidth != 0)
    tell_mib (builder, "avail-switchover-bandwidth", "--available-switchover-bandwidth",
              request->switchover_bandwidth);
  if (request->max_downtime_ms != 0)
    tell (builder, "downtime-limit", "--max-downtime",
          stasis_json_new_uint (request->max_downtime_ms));
  if (request->tls_destination != NULL)
    tell (builder, "tls-hostname", "--tls-destination",
          stasis_json_new_string (request->tls_destination));
}

/* How it is told. */
StasisMigratePlan *
stasis_migrate_plan_new (StasisMigrateSide side, StasisMigrateFlags flags,
                         const StasisMigrateRequest *request, GHashTable *capabilities,
                         const StasisJson *parameters)
{
  g_autoptr (StasisMigrateRequest) nothing = stasis_migrate_request_new ();
  if (request == NULL)
    request = nothing;
  StasisMigratePlan *plan = g_new0 (StasisMigratePlan, 1);
  plan->capabilities = g_ptr_array_new_with_free_func (g_free);
  plan->needed = g_ptr_array_new ();
  plan->offers = g_ptr_array_new ();
  plan->parameters = stasis_json_new_object ();
  plan->lacks = g_ptr_array_new_with_free_func (lack_free);
  const Builder builder = { plan, 1u << side, capabilities, parameters };
  for (gsize i = 0; i < G_N_ELEMENTS (wishes); i++)
    if (wishes[i].flag == 0 || (flags & wishes[i].flag) != 0)
      want (&builder, &wishes[i]);
  tell_compression (&builder, flags, request);
  tell_speed (&builder, request);
  tell_number (&builder, AT_BOTH, "multifd-channels", "--parallel-connections",
               request->parallel_connections);
  tell_number (&builder, AT_SOURCE, "cpu-throttle-initial", "--auto-converge-initial",
               request->auto_converge_initial);
  tell_number (&builder, AT_SOURCE, "cpu-throttle-increment", "--auto-converge-increment",
               request->auto_converge_increment);
  return plan;
}

/* NULL is fine. */
void
stasis_migrate_plan_free (StasisMigratePlan *plan)
{
  if (plan == NULL)
    return;

  g_ptr_array_unref (plan->capabilities);
  g_ptr_array_unref (plan->needed);
  g_ptr_array_unref (plan->offers);
  stasis_json_unref (plan->parameters);
  g_ptr_array_unref (plan->lacks);
  g_free (plan);
}

static gboolean
has_name (const GPtrArray *names, const char *name)
{
  for (guint i = 0; i < names->len; i++)
    if (g_str_equal (g_ptr_array_index (names, i), name))
      return TRUE;
  return FALSE;
}

gboolean
stasis_migrate_plan_has (const StasisMigratePlan *plan, const char *capability)
{
  return has_name (plan->capabilities, capability);
}

/* What both ends must have, or the stream is not understood. */
static const Wish *
find_wish (const char *capability)
{
  for (gsize i = 0; i < G_N_ELEMENTS (wishes); i++)
    if (g_str_equal (wishes[i].capability, capability))
      return &wishes[i];
  return NULL;
}

/* Only what the destination has chosen; what is told to the source alone stays. */
void
stasis_migrate_plan_restrict (StasisMigratePlan *plan, const char *const *chosen)
{
  for (guint i = plan->capabilities->len; i > 0; i--)
    {
      const char *name = g_ptr_array_index (plan->capabilities, i - 1);
      const Wish *wish = find_wish (name);
      const guint sides = wish != NULL ? wish->sides : AT_BOTH;
      if (sides != AT_BOTH || g_strv_contains (chosen, name))
        continue;
      const char *option = wish != NULL ? wish->option : "--comp-methods";
      add_lack (plan, option,
                g_strdup_printf (_ ("the destination lacks the migration capability '%s'"), name));
      g_ptr_array_remove_index (plan->capabilities, i - 1);
    }
}

/* The first that somebody asked for. */
gboolean
stasis_migrate_plan_check (const StasisMigratePlan *plan, const char *who, GError **error)
{
  for (guint i = 0; i < plan->lacks->len; i++)
    {
      const StasisMigrateLack *lack = g_ptr_array_index (plan->lacks, i);
      if (lack->option == NULL)
        continue;
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s is not possible with %2$s: %3$s"), lack->option, who, lack->reason);
      return FALSE;
    }
  return TRUE;
}
