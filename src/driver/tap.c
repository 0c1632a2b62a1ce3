/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tap.c: a network device of the host for a guest
 */

#include "config.h"

#include "driver/tap.h"

#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/sockios.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define HIGHEST_OCTET 0xfe /* of an address that is of one device, and was given locally */

static gboolean
set_name (struct ifreq *request, const char *name, GError **error)
{
  if (strlen (name) >= sizeof request->ifr_name)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   _ ("the interface name '%s' is too long"), name);
      return FALSE;
    }
  g_strlcpy (request->ifr_name, name, sizeof request->ifr_name);
  return TRUE;
}

/* A bridge without an address of its own goes by the lowest of its ports': one that comes and goes
 * is not to become it, or the host is lost to its neighbours for a while. */
static gboolean
raise_address (int control, const char *name, GError **error)
{
  struct ifreq request = { 0 };
  if (!set_name (&request, name, error))
    return FALSE;
  if (ioctl (control, SIOCGIFHWADDR, &request) < 0)
    return stasis_throw_errno (error, _ ("cannot look at interface '%s'"), name);
  request.ifr_hwaddr.sa_data[0] = (char) HIGHEST_OCTET;
  if (ioctl (control, SIOCSIFHWADDR, &request) < 0)
    return stasis_throw_errno (error, _ ("cannot set the address of '%s'"), name);
  return TRUE;
}

static gboolean
bring_up (int control, const char *name, gint64 mtu, GError **error)
{
  struct ifreq request = { 0 };
  if (!set_name (&request, name, error))
    return FALSE;
  if (mtu > 0)
    {
      request.ifr_mtu = (int) mtu;
      if (ioctl (control, SIOCSIFMTU, &request) < 0)
        return stasis_throw_errno (error, _ ("cannot set the MTU of '%s'"), name);
    }
  memset (&request.ifr_ifru, 0, sizeof request.ifr_ifru);
  if (ioctl (control, SIOCGIFFLAGS, &request) < 0)
    return stasis_throw_errno (error, _ ("cannot look at interface '%s'"), name);
  request.ifr_flags |= IFF_UP;
  if (ioctl (control, SIOCSIFFLAGS, &request) < 0)
    return stasis_throw_errno (error, _ ("cannot bring interface '%s' up"), name);
  return TRUE;
}

static gboolean
join_bridge (int control, const char *name, const char *bridge, GError **error)
{
  struct ifreq request = { 0 };
  if (!set_name (&request, bridge, error))
    return FALSE;
  request.ifr_ifindex = (int) if_nametoindex (name);
  if (ioctl (control, SIOCBRADDIF, &request) < 0)
    return stasis_throw_errno (error, _ ("cannot add '%1$s' to the bridge '%2$s'"), name, bridge);
  return TRUE;
}

/* Open a tap device. */
int
stasis_tap_open (const char *name, const char *bridge, gint64 mtu, char **out_name, GError **error)
{
  stasis_autofd int fd = stasis_fd_open ("/dev/net/tun", O_RDWR, 0, error);
  struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
  if (fd < 0 || !set_name (&request, name != NULL ? name : "vnet%d", error))
    return -1;
  if (ioctl (fd, TUNSETIFF, &request) < 0)
    {
      stasis_throw_errno (error, _ ("cannot make the tap device '%s'"), request.ifr_name);
      return -1;
    }

  stasis_autofd int control = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a socket"));
      return -1;
    }
  if (!raise_address (control, request.ifr_name, error)
      || !bring_up (control, request.ifr_name, mtu, error)
      || (bridge != NULL && !join_bridge (control, request.ifr_name, bridge, error)))
    return -1;
  *out_name = g_strdup (request.ifr_name);
  return stasis_fd_steal (&fd);
}

/* Open /dev/vhost-net. */
int
stasis_vhost_open (void)
{
  return stasis_fd_open ("/dev/vhost-net", O_RDWR, 0, NULL);
}
