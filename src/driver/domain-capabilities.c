/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-capabilities.c: what a domain can have on this host, as libvirt's domain capabilities XML
 *
 * What a definition may say (src/conf) and the emulator has (qemu-caps.h): what is not there we
 * refuse, or do not know.
 */

#include "config.h"

#include "driver/domain-capabilities.h"

#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/driver-private.h"

#define ARCH      "x86_64"
#define VCPUS_MAX 255

/* A word of a definition, and the device of QEMU's that it takes; NULL: none. */
typedef struct
{
  const char *word;
  const char *device;
} Choice;

static const Choice disk_devices[]
    = { { "disk", NULL }, { "cdrom", NULL }, { "floppy", "floppy" } };
static const Choice disk_buses[] = { { "ide", "ide-hd" },      { "fdc", "floppy" },
                                     { "scsi", "scsi-hd" },    { "virtio", "virtio-blk-pci" },
                                     { "usb", "usb-storage" }, { "sata", "ide-hd" } };
static const Choice disk_models[]
    = { { "virtio", "virtio-blk-pci" },
        { "virtio-transitional", "virtio-blk-pci-transitional" },
        { "virtio-non-transitional", "virtio-blk-pci-non-transitional" } };
static const Choice graphics_types[] = { { "vnc", NULL } };
static const Choice video_models[]
    = { { "vga", "VGA" },           { "cirrus", "cirrus-vga" }, { "qxl", "qxl-vga" },
        { "virtio", "virtio-vga" }, { "none", NULL },           { "bochs", "bochs-display" } };
static const Choice rng_models[] = { { "virtio", "virtio-rng-pci" } };
static const Choice rng_backends[] = { { "random", "rng-random" }, { "builtin", "rng-builtin" } };
static const Choice channel_types[] = { { "pty", NULL }, { "unix", NULL } };
static const Choice loader_types[] = { { "rom", NULL }, { "pflash", NULL } };
static const Choice yes_no[] = { { "yes", NULL }, { "no", NULL } };
static const Choice memory_sources[] = { { "memfd", "memory-backend-memfd" },
                                         { "anonymous", NULL },
                                         { "file", STASIS_QEMU_FILE_MEMORY } };

typedef struct
{
  GString *xml;               /* (borrowed) */
  const StasisQemuCaps *caps; /* (borrowed) */
} Page;

static void
append_choices (Page *page, const char *indent, const char *name, const Choice *choices,
                gsize n_choices)
{
  g_string_append_printf (page->xml, "%s<enum name='%s'>\n", indent, name);
  for (gsize i = 0; i < n_choices; i++)
    if (choices[i].device == NULL || stasis_qemu_caps_has_device (page->caps, choices[i].device))
      g_string_append_printf (page->xml, "%s  <value>%s</value>\n", indent, choices[i].word);
  g_string_append_printf (page->xml, "%s</enum>\n", indent);
}

#define CHOICES(page, indent, name, choices) \
  append_choices (page, indent, name, choices, G_N_ELEMENTS (choices))

static void
append_element (Page *page, const char *indent, const char *element, const char *value)
{
  g_autofree char *text = g_markup_escape_text (value, -1);
  g_string_append_printf (page->xml, "%s<%s>%s</%s>\n", indent, element, text, element);
}

static void
append_os (Page *page)
{
  g_string_append (page->xml, "  <os supported='yes'>\n    <enum name='firmware'>\n"
                              "      <value>bios</value>\n      <value>efi</value>\n"
                              "    </enum>\n    <loader supported='yes'>\n");
  CHOICES (page, "      ", "type", loader_types);
  CHOICES (page, "      ", "readonly", yes_no);
  g_string_append (page->xml, "    </loader>\n  </os>\n");
}

static void
append_cpu (Page *page, gboolean is_kvm)
{
  const char *host = is_kvm ? "yes" : "no";
  g_string_append_printf (page->xml,
                          "  <cpu>\n    <mode name='host-passthrough' supported='%1$s'/>\n"
                          "    <mode name='maximum' supported='yes'/>\n"
                          "    <mode name='host-model' supported='%1$s'/>\n"
                          "    <mode name='custom' supported='yes'/>\n  </cpu>\n",
                          host);
}

static void
append_devices (Page *page)
{
  g_string_append (page->xml, "  <devices>\n    <disk supported='yes'>\n");
  CHOICES (page, "      ", "diskDevice", disk_devices);
  CHOICES (page, "      ", "bus", disk_buses);
  CHOICES (page, "      ", "model", disk_models);
  g_string_append (page->xml, "    </disk>\n    <graphics supported='yes'>\n");
  CHOICES (page, "      ", "type", graphics_types);
  g_string_append (page->xml, "    </graphics>\n    <video supported='yes'>\n");
  CHOICES (page, "      ", "modelType", video_models);
  g_string_append (page->xml, "    </video>\n    <hostdev supported='no'/>\n"
                              "    <rng supported='yes'>\n");
  CHOICES (page, "      ", "model", rng_models);
  CHOICES (page, "      ", "backendModel", rng_backends);
  g_string_append (page->xml, "    </rng>\n    <filesystem supported='no'/>\n"
                              "    <tpm supported='no'/>\n    <channel supported='yes'>\n");
  CHOICES (page, "      ", "type", channel_types);
  g_string_append (page->xml, "    </channel>\n  </devices>\n");
}

/* The emulator, the machine, and whether KVM is meant; FALSE for what is not here. */
static gboolean
choose (StasisDriver *self, const StasisDomainCapabilities *wanted, StasisQemuCaps **out_caps,
        const char **out_machine, gboolean *out_is_kvm, GError **error)
{
  const gboolean has_kvm = access ("/dev/kvm", R_OK | W_OK) == 0;
  const char *type = wanted->type != NULL ? wanted->type : has_kvm ? "kvm" : "qemu";
  const char *emulator = wanted->emulator != NULL ? wanted->emulator : self->host->emulator;
  if (g_strcmp0 (wanted->arch != NULL ? wanted->arch : ARCH, ARCH) != 0)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ ("there is no emulator of %s"),
                 wanted->arch);
  else if (!g_str_equal (type, "qemu") && !(g_str_equal (type, "kvm") && has_kvm))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                 _ ("there are no domains of the type '%s' on this host"), type);
  else
    *out_caps = stasis_driver_get_caps (self, emulator, error);
  if (*out_caps == NULL)
    return FALSE;
  *out_is_kvm = g_str_equal (type, "kvm");
  *out_machine = stasis_qemu_caps_canonical_machine (*out_caps, wanted->machine);
  if (*out_machine == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                 _ ("the emulator has no machine '%s'"), wanted->machine);
  return *out_machine != NULL;
}

/* What it can have. */
char *
stasis_driver_get_domain_capabilities (StasisDriver *self, const StasisDomainCapabilities *wanted,
                                       GError **error)
{
  g_autoptr (StasisQemuCaps) caps = NULL;
  const char *machine = NULL;
  gboolean is_kvm = FALSE;
  if (!choose (self, wanted, &caps, &machine, &is_kvm, error))
    return NULL;
  g_autoptr (GString) xml = g_string_new ("<domainCapabilities>\n");
  Page page = { xml, caps };
  append_element (&page, "  ", "path",
                  wanted->emulator != NULL ? wanted->emulator : self->host->emulator);
  append_element (&page, "  ", "domain", is_kvm ? "kvm" : "qemu");
  append_element (&page, "  ", "machine", machine);
  append_element (&page, "  ", "arch", ARCH);
  g_string_append_printf (xml, "  <vcpu max='%d'/>\n  <iothreads supported='yes'/>\n", VCPUS_MAX);
  append_os (&page);
  append_cpu (&page, is_kvm);
  g_string_append (xml, "  <memoryBacking supported='yes'>\n");
  CHOICES (&page, "    ", "sourceType", memory_sources);
  g_string_append (xml, "  </memoryBacking>\n");
  append_devices (&page);
  g_string_append (xml, "  <features>\n    <gic supported='no'/>\n    <genid supported='yes'/>\n"
                        "    <backingStoreInput supported='no'/>\n    <backup supported='no'/>\n"
                        "    <sev supported='no'/>\n  </features>\n</domainCapabilities>\n");
  return g_string_free (g_steal_pointer (&xml), FALSE);
}
