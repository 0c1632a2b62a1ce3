/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-facts.c: what a save image says of the QEMU that wrote it
 */

#include "config.h"

#include "driver/save-facts.h"

#include "image/facts.h"
#include "monitor/commands-query.h"
#include "util/json-path.h"

static StasisJson *
version_to_json (const StasisMonitorVersion *version)
{
  g_autofree char *text
      = g_strdup_printf ("%u.%u.%u", version->major, version->minor, version->micro);
  return stasis_json_new_string (text);
}

static StasisJson *
blocks_to_json (const GPtrArray *blocks)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < blocks->len; i++)
    {
      const StasisRamBlock *block = g_ptr_array_index (blocks, i);
      StasisJson *json = stasis_json_new_object ();
      stasis_json_set_string (json, "name", block->name);
      stasis_json_set_uint (json, "size", block->used_length);
      stasis_json_set_uint (json, "page-size", block->page_size);
      stasis_json_array_append (array, json);
    }
  return array;
}

static StasisJson *
capabilities_to_json (const StasisSaveEngine *engine)
{
  g_auto (GStrv) names = stasis_save_engine_capabilities (engine);
  StasisJson *array = stasis_json_new_array ();
  for (gsize i = 0; names[i] != NULL; i++)
    stasis_json_array_append_string (array, names[i]);
  return array;
}

/* The guest's CPU as this QEMU expands it: what a later QEMU must offer for the guest to go on.
 * For information; a QEMU that cannot tell leaves it out. */
StasisJson *
stasis_save_facts_cpu (const StasisDomainDef *def, StasisMonitor *monitor,
                       GCancellable *cancellable)
{
  const char *model = def->cpu.model;
  if (model == NULL)
    model = def->cpu.mode == STASIS_CPU_MODE_UNSET ? "qemu64" : "host";
  if (def->cpu.mode != STASIS_CPU_MODE_UNSET && def->cpu.model == NULL
      && def->type == STASIS_DOMAIN_TYPE_QEMU)
    model = "max";
  g_autoptr (StasisJson) expanded
      = stasis_monitor_query_cpu_model_expansion (monitor, "full", model, NULL, cancellable, NULL);
  const StasisJson *props = expanded != NULL ? stasis_json_get (expanded, "props") : NULL;
  if (props == NULL)
    return NULL;
  StasisJson *cpu = stasis_json_new_object ();
  stasis_json_set_string (cpu, "model", model);
  stasis_json_set (cpu, "props", stasis_json_ref ((StasisJson *) props));
  return cpu;
}

/* The QEMU_FACTS record. */
StasisJson *
stasis_save_facts (const StasisDomainDef *def, const StasisStatus *status,
                   const StasisSaveEngine *engine, const GPtrArray *ram_blocks,
                   gboolean resume_running, const char *reason, StasisMonitor *monitor,
                   GCancellable *cancellable)
{
  const StasisMonitorVersion *version = stasis_monitor_version (monitor);
  StasisJson *facts = stasis_json_new_object ();
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_EMULATOR, status->emulator);
  stasis_json_set (facts, STASIS_IMAGE_FACTS_VERSION, version_to_json (version));
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_PACKAGE, version->package);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_MACHINE, def->os.machine);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_ACCELERATOR,
                          def->type == STASIS_DOMAIN_TYPE_KVM ? "kvm" : "tcg");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_RUN_STATE,
                          resume_running ? "running" : "paused");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_RUN_STATE_REASON, reason);
  stasis_json_set_text (facts, STASIS_IMAGE_FACTS_ENGINE, engine->description);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_HOST, g_get_host_name ());
  stasis_json_set (facts, STASIS_IMAGE_FACTS_CAPABILITIES, capabilities_to_json (engine));
  stasis_json_set (facts, STASIS_IMAGE_FACTS_RAM_BLOCKS, blocks_to_json (ram_blocks));
  StasisJson *cpu = stasis_save_facts_cpu (def, monitor, cancellable);
  if (cpu != NULL)
    stasis_json_set (facts, STASIS_IMAGE_FACTS_CPU, cpu);
  return facts;
}
