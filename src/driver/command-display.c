/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-display.c: video devices, VNC, sound and what it is played on
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#define VNC_PORT_FIRST   5900
#define VNC_DISPLAY_LAST 99 /* of those that 'autoport' may get */
#define KIB              1024

char *
stasis_args_audiodev (const StasisArgs *args, gint64 id)
{
  const GPtrArray *audios = args->def->audios;
  const StasisAudioDef *first = audios->len > 0 ? audios->pdata[0] : NULL;

  if (id == STASIS_UNSET && first != NULL)
    id = first->id;
  return id != STASIS_UNSET ? g_strdup_printf ("audio%" PRId64, id) : NULL;
}

static gboolean
add_audios (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->def->audios->len; i++)
    {
      const StasisAudioDef *audio = args->def->audios->pdata[i];
      if (audio->type == STASIS_AUDIO_SPICE)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("/domain/devices/audio[%1$u]/@type: '%2$s' is not supported here"), i + 1,
                       "spice");
          return FALSE;
        }
      g_autofree char *id = stasis_args_audiodev (args, audio->id);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "id", id != NULL ? id : "audio1");
      stasis_json_set_string (object, "driver", "none");
      stasis_args_add_json (args, "-audiodev", object);
    }
  return TRUE;
}

/* "unix:PATH" */
static void
append_vnc_socket (GString *vnc, const StasisArgs *args, const char *path)
{
  g_autofree char *own = path == NULL && args->host->socket_folder != NULL
                             ? g_build_filename (args->host->socket_folder, "vnc.sock", NULL)
                             : NULL;
  g_autofree char *address = g_strconcat ("unix:", path != NULL ? path : own, NULL);
  stasis_args_append (vnc, "", address);
}

/* QEMU itself looks for a free port, so no other program can take it in between. */
static void
append_vnc_address (GString *vnc, const StasisGraphicsDef *graphics, const char *address)
{
  const char *host = address != NULL ? address : graphics->listen;
  host = host != NULL ? host : "127.0.0.1";
  const gboolean is_auto
      = graphics->autoport == STASIS_TRISTATE_ON || graphics->port == STASIS_UNSET;
  const gint64 display = is_auto ? 0 : graphics->port - VNC_PORT_FIRST;
  const gboolean is_ipv6 = strchr (host, ':') != NULL;
  g_autofree char *value
      = g_strdup_printf (is_ipv6 ? "[%s]:%" PRId64 : "%s:%" PRId64, host, display);
  stasis_args_append (vnc, "", value);
  if (is_auto)
    g_string_append_printf (vnc, ",to=%d", VNC_DISPLAY_LAST);
}

static void
append_vnc_listen (GString *vnc, const StasisArgs *args, const StasisGraphicsDef *graphics)
{
  const StasisListenDef *listen = graphics->listens->len > 0 ? graphics->listens->pdata[0] : NULL;

  if (graphics->socket != NULL)
    append_vnc_socket (vnc, args, graphics->socket);
  else if (listen != NULL && listen->type == STASIS_LISTEN_SOCKET)
    append_vnc_socket (vnc, args, listen->socket);
  else if (listen != NULL && listen->type == STASIS_LISTEN_NONE)
    stasis_args_append (vnc, "", "none");
  else
    append_vnc_address (vnc, graphics, listen != NULL ? listen->address : NULL);
}

static void
add_vnc (StasisArgs *args, const StasisGraphicsDef *graphics)
{
  g_autoptr (GString) vnc = g_string_new (NULL);
  g_autofree char *audiodev = stasis_args_audiodev (args, STASIS_UNSET);

  append_vnc_listen (vnc, args, graphics);
  if (graphics->websocket > 0)
    g_string_append_printf (vnc, ",websocket=%" PRId64, graphics->websocket);
  if (graphics->passwd != NULL)
    g_string_append (vnc, ",password=on"); /* which comes later: not by the command line */
  if (graphics->share_policy != NULL)
    stasis_args_append (vnc, "share", graphics->share_policy);
  if (audiodev != NULL)
    stasis_args_append (vnc, "audiodev", audiodev);
  stasis_args_add (args, "-vnc", vnc->str);
  if (graphics->keymap != NULL)
    stasis_args_add (args, "-k", graphics->keymap);
}

/* First of all: what is missing is the display, not the sound that would go through it. */
static gboolean
check_graphics (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->def->graphics->len; i++)
    {
      const StasisGraphicsDef *graphics = args->def->graphics->pdata[i];
      if (graphics->type != STASIS_GRAPHICS_VNC)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("/domain/devices/graphics[%1$u]/@type: '%2$s' is not supported here"),
                       i + 1, stasis_graphics_type_names[graphics->type]);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
add_graphics (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->def->graphics->len; i++)
    add_vnc (args, args->def->graphics->pdata[i]);
  return TRUE;
}

/* Models have one device where they are the first, which firmware can use, another behind it. */
static const struct
{
  const char *primary;
  const char *secondary;
} video_drivers[] = {
  [STASIS_VIDEO_VGA] = { "VGA", NULL },
  [STASIS_VIDEO_CIRRUS] = { "cirrus-vga", NULL },
  [STASIS_VIDEO_QXL] = { "qxl-vga", "qxl" },
  [STASIS_VIDEO_VIRTIO] = { "virtio-vga", "virtio-gpu-pci" },
  [STASIS_VIDEO_BOCHS] = { "bochs-display", NULL },
};

static void
set_video_memory (StasisJson *device, const StasisVideoDef *video)
{
  switch (video->model)
    {
    case STASIS_VIDEO_QXL:
      if (video->ram != STASIS_UNSET)
        stasis_json_set_int (device, "ram_size", video->ram * KIB);
      if (video->vram != STASIS_UNSET)
        stasis_json_set_int (device, "vram_size", video->vram * KIB);
      stasis_json_set_int (device, "vram64_size_mb",
                           video->vram64 != STASIS_UNSET ? video->vram64 / KIB : 0);
      if (video->vgamem != STASIS_UNSET)
        stasis_json_set_int (device, "vgamem_mb", video->vgamem / KIB);
      break;
    case STASIS_VIDEO_VGA:
      if (video->vram != STASIS_UNSET)
        stasis_json_set_int (device, "vgamem_mb", video->vram / KIB);
      break;
    case STASIS_VIDEO_BOCHS:
      if (video->vram != STASIS_UNSET)
        stasis_json_set_int (device, "vgamem", video->vram * KIB);
      break;
    default:
      break;
    }
}

static gboolean
add_video (StasisArgs *args, const StasisVideoDef *video, gboolean is_first, const char *place,
           GError **error)
{
  if (video->model == STASIS_VIDEO_NONE)
    return TRUE;

  const char *driver = NULL;
  if (video->model < G_N_ELEMENTS (video_drivers))
    driver = is_first ? video_drivers[video->model].primary : video_drivers[video->model].secondary;
  if (driver == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s/model/@type: '%2$s' is not supported here"), place,
                   stasis_video_model_names[video->model]);
      return FALSE;
    }

  g_autoptr (StasisJson) device = stasis_args_device (args, driver, &video->info, place, error);
  if (device == NULL)
    return FALSE;
  set_video_memory (device, video);
  if (video->model == STASIS_VIDEO_QXL || video->model == STASIS_VIDEO_VIRTIO)
    stasis_args_set_number (device, "max_outputs", video->heads);
  stasis_args_set_number (device, "xres", video->resolution_x);
  stasis_args_set_number (device, "yres", video->resolution_y);
  if (!stasis_args_set_address (args, device, &video->info, place, error))
    return FALSE;
  stasis_args_add_json (args, "-device", g_steal_pointer (&device));
  return TRUE;
}

static gboolean
add_videos (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->def->videos->len; i++)
    {
      g_autofree char *place = g_strdup_printf ("/domain/devices/video[%u]", i + 1);
      if (!add_video (args, args->def->videos->pdata[i], i == 0, place, error))
        return FALSE;
    }
  return TRUE;
}

/* What hangs on an HDA controller: speakers, microphone or both. */
static gboolean
add_codec (StasisArgs *args, const StasisSoundDef *sound, guint number, const char *type,
           GError **error)
{
  g_autofree char *driver = g_strconcat ("hda-", type, NULL);
  g_autofree char *id = g_strdup_printf ("%s-codec%u", sound->info.alias, number);
  g_autofree char *bus = g_strdup_printf ("%s.0", sound->info.alias);
  g_autofree char *audiodev = stasis_args_audiodev (args, sound->audio_id);
  StasisJson *device
      = stasis_args_device (args, driver, NULL, "/domain/devices/sound/codec", error);
  if (device == NULL)
    return FALSE;

  stasis_json_set_string (device, "id", id);
  stasis_json_set_string (device, "bus", bus);
  stasis_json_set_int (device, "cad", number);
  if (audiodev != NULL)
    stasis_json_set_string (device, "audiodev", audiodev);
  stasis_args_add_json (args, "-device", device);
  return TRUE;
}

static gboolean
add_sound (StasisArgs *args, const StasisSoundDef *sound, const char *place, GError **error)
{
  static const char *const drivers[] = {
    [STASIS_SOUND_AC97] = "AC97",
    [STASIS_SOUND_ICH6] = "intel-hda",
    [STASIS_SOUND_ICH9] = "ich9-intel-hda",
  };
  const gboolean is_hda = sound->model != STASIS_SOUND_AC97;
  g_autoptr (StasisJson) device
      = stasis_args_device (args, drivers[sound->model], &sound->info, place, error);
  if (device == NULL)
    return FALSE;

  g_autofree char *audiodev = stasis_args_audiodev (args, sound->audio_id);
  if (!is_hda && audiodev != NULL)
    stasis_json_set_string (device, "audiodev", audiodev);
  if (!stasis_args_set_address (args, device, &sound->info, place, error))
    return FALSE;
  stasis_args_add_json (args, "-device", g_steal_pointer (&device));
  if (!is_hda)
    return TRUE;

  if (sound->codecs->len == 0)
    return add_codec (args, sound, 0, "duplex", error);
  for (guint i = 0; i < sound->codecs->len; i++)
    {
      const StasisCodecDef *codec = sound->codecs->pdata[i];
      if (!add_codec (args, sound, i, codec->type != NULL ? codec->type : "duplex", error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
add_sounds (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->def->sounds->len; i++)
    {
      g_autofree char *place = g_strdup_printf ("/domain/devices/sound[%u]", i + 1);
      const StasisSoundDef *sound = args->def->sounds->pdata[i];
      if (sound->model != STASIS_SOUND_UNSET && !add_sound (args, sound, place, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
stasis_args_add_displays (StasisArgs *args, GError **error)
{
  return check_graphics (args, error) && add_audios (args, error) && add_graphics (args, error)
         && add_videos (args, error) && add_sounds (args, error);
}
