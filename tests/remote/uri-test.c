/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri-test.c: tests of src/remote/uri.c
 */

#include "config.h"

#include "remote/uri.h"

#include <stasis/error.h>

static StasisRemoteUri *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  StasisRemoteUri *uri = stasis_remote_uri_parse (text, &error);
  g_assert_no_error (error);
  g_assert_nonnull (uri);
  return uri;
}

static void
test_unix (void)
{
  g_autoptr (StasisRemoteUri) plain = parse ("stasis+unix:///system");
  g_assert_cmpint (plain->transport, ==, STASIS_REMOTE_UNIX);
  g_assert_false (plain->is_session);
  g_assert_null (plain->socket);
  g_assert_null (plain->host);
  g_assert_cmpuint (plain->keepalive_s, ==, STASIS_REMOTE_KEEPALIVE_S);
  g_autoptr (StasisRemoteUri) full
      = parse ("qemu+unix:///session?socket=/run/a%20b%3f%26&keepalive=0");
  g_assert_true (full->is_session);
  g_assert_cmpstr (full->socket, ==, "/run/a b?&");
  g_assert_cmpuint (full->keepalive_s, ==, 0);
  g_autoptr (StasisRemoteUri) virsh = parse ("qemu:///system?socket=/run/a");
  g_assert_cmpint (virsh->transport, ==, STASIS_REMOTE_UNIX);
  g_assert_cmpstr (virsh->socket, ==, "/run/a");
}

static void
test_ssh (void)
{
  g_autoptr (StasisRemoteUri) plain = parse ("qemu+ssh://host.example/system");
  g_assert_cmpint (plain->transport, ==, STASIS_REMOTE_SSH);
  g_assert_cmpstr (plain->host, ==, "host.example");
  g_assert_null (plain->user);
  g_assert_cmpuint (plain->port, ==, 0);
  g_assert_false (plain->no_verify);
  g_autoptr (StasisRemoteUri) full
      = parse ("stasis+ssh://me%40x@h-1:2222/system?socket=/s&keyfile=/k&known_hosts=/n&no_verify");
  g_assert_cmpstr (full->user, ==, "me@x");
  g_assert_cmpstr (full->host, ==, "h-1");
  g_assert_cmpuint (full->port, ==, 2222);
  g_assert_cmpstr (full->socket, ==, "/s");
  g_assert_cmpstr (full->keyfile, ==, "/k");
  g_assert_cmpstr (full->known_hosts, ==, "/n");
  g_assert_true (full->no_verify);
}

static void
test_ipv6 (void)
{
  g_autoptr (StasisRemoteUri) plain = parse ("qemu+ssh://root@[2001:db8::1]/system");
  g_assert_cmpstr (plain->host, ==, "2001:db8::1");
  g_assert_cmpstr (plain->user, ==, "root");
  g_autoptr (StasisRemoteUri) zone = parse ("qemu+tcp://[fe80::1%25eth0]:16510/system");
  g_assert_cmpint (zone->transport, ==, STASIS_REMOTE_TCP);
  g_assert_cmpstr (zone->host, ==, "fe80::1%eth0");
  g_assert_cmpuint (zone->port, ==, 16510);
}

static const struct
{
  const char *text;
  const char *why;
} wrong[] = {
  { "", "*SCHEME+TRANSPORT*" },
  { "stasis+unix", "*SCHEME+TRANSPORT*" },
  { "stasis+unix:/system", "*SCHEME+TRANSPORT*" },
  { "xen+unix:///system", "*no driver for the scheme 'xen+unix'*" },
  { "stasis://host/system", "*no driver for the scheme*" },
  { "qemu+tls://host/system", "*no transport 'tls'*" },
  { "qemu+unix://host/system", "*a unix socket has no host*" },
  { "stasis+unix:///", "*'/system' or '/session'*" },
  { "stasis+unix:///System", "*'/system' or '/session'*" },
  { "stasis+unix:///system/", "*'/system' or '/session'*" },
  { "stasis+unix:///sys%74em", "*'/system' or '/session'*" },
  { "stasis+unix:///system?&", "*parameter '' is not known*" },
  { "stasis+unix:///system?socket=sock", "*not an absolute path*" },
  { "stasis+unix:///system?socket=", "*not an absolute path*" },
  { "stasis+unix:///system?socket=/a&socket=/b", "*'socket' is there twice*" },
  { "stasis+unix:///system?socket=/a%00b", "*control character*" },
  { "stasis+unix:///system?socket=/a%0ab", "*control character*" },
  { "stasis+unix:///system?socket=/a%7f", "*control character*" },
  { "stasis+unix:///system?socket=/a%4", "*hexadecimal*" },
  { "stasis+unix:///system?socket=/a%zz", "*hexadecimal*" },
  { "stasis+unix:///system?sockets=/a", "*'sockets' is not known*" },
  { "stasis+unix:///system?keyfile=/a", "*'keyfile' is not known*" },
  { "stasis+unix:///system?no_verify=1", "*'no_verify' is not known*" },
  { "stasis+unix:///system?keepalive=-1", "*not a number*" },
  { "stasis+unix:///system?keepalive=3601", "*not a number*" },
  { "stasis+unix:///system?a=1#b", "*fragment*" },
  { "qemu+ssh:///system", "*the host is missing*" },
  { "qemu+ssh://@host/system", "*is no user*" },
  { "qemu+ssh://-l@host/system", "*is no user*" },
  { "qemu+ssh://me:secret@host/system", "*password*" },
  { "qemu+ssh://-oProxyCommand=x/system", "*is no host*" },
  { "qemu+ssh://%2doProxyCommand/system", "*is no host*" },
  { "qemu+ssh://a%20b/system", "*is no host*" },
  { "qemu+ssh://host:/system", "*is no port*" },
  { "qemu+ssh://host:0/system", "*is no port*" },
  { "qemu+ssh://host:65536/system", "*is no port*" },
  { "qemu+ssh://host:22x/system", "*is no port*" },
  { "qemu+ssh://[::1/system", "*']' is missing*" },
  { "qemu+ssh://[::1]22/system", "*behind the host*" },
  { "qemu+ssh://[1.2.3.4]/system", "*no IPv6 address*" },
  { "qemu+ssh://::1/system", "*the host is missing*" },
  { "qemu+ssh://host/system?no_verify=2", "*0 or 1*" },
  { "qemu+ssh://host/system?command=/bin/sh", "*'command' is not known*" },
  { "qemu+tcp://me@host/system", "*knows no users*" },
  { "qemu+tcp://host/system?socket=/a", "*'socket' is not known*" },
};

static void
test_wrong (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_remote_uri_parse (wrong[i].text, &error));
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
      g_autofree char *begin = g_strdup_printf ("'%s': ", wrong[i].text);
      /* A password is not repeated. */
      g_assert_true (strstr (wrong[i].text, "secret") == NULL
                         ? g_str_has_prefix (error->message, begin)
                         : strstr (error->message, "secret") == NULL);
      if (!g_pattern_match_simple (wrong[i].why, error->message))
        g_error ("%s", error->message);
    }
  g_autofree char *name = g_strnfill (5000, 'a');
  g_autofree char *text = g_strconcat ("qemu+ssh://", name, "/system", NULL);
  g_assert_null (stasis_remote_uri_parse (text, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/uri/unix", test_unix);
  g_test_add_func ("/remote/uri/ssh", test_ssh);
  g_test_add_func ("/remote/uri/ipv6", test_ipv6);
  g_test_add_func ("/remote/uri/wrong", test_wrong);
  return g_test_run ();
}
