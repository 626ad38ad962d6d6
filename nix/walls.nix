# What both units forbid the service; packaging/systemd/user/kapso-whatsapp.service says why no more in a user's own
# manager.
{
  UMask = "0077";
  NoNewPrivileges = true;
  LockPersonality = true;
  RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" "AF_NETLINK" ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SystemCallArchitectures = "native";
  SystemCallFilter = [ "@system-service" "~@privileged @resources" ];
  SystemCallErrorNumber = "EPERM";
}
