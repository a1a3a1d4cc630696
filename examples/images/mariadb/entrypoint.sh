#!/bin/sh
# Makes the database at the first start, then becomes the server. Reads the variables that the MySQL and MariaDB images of
# public registries read, under either prefix: ROOT_PASSWORD, ALLOW_EMPTY_ROOT_PASSWORD (or ALLOW_EMPTY_PASSWORD), DATABASE, USER, PASSWORD.
set -eu

setting() {
  eval "printf %s \"\${MARIADB_$1:-\${MYSQL_$1:-}}\""
}

quoted() {
  printf "'%s'" "$(printf %s "$1" | sed -e 's/\\/\\\\/g' -e "s/'/''/g")"
}

data=/var/lib/mysql
run=/run/mysqld
mkdir -p "$data" "$run"
chown mysql:mysql "$data" "$run"

if [ ! -d "$data/mysql" ]; then
  root_password=$(setting ROOT_PASSWORD)
  if [ -z "$root_password" ] && [ -z "$(setting ALLOW_EMPTY_ROOT_PASSWORD)$(setting ALLOW_EMPTY_PASSWORD)" ]; then
    echo "Cannot make the database: no password for root, set MARIADB_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD" >&2
    exit 1
  fi
  echo "Making the database in $data"
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --auth-root-authentication-method=normal > /dev/null
  umask 077
  {
    # A fresh database has accounts without a password for every name of this host.
    echo "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');"
    echo "FLUSH PRIVILEGES;"
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$root_password");"
    echo "CREATE USER 'root'@'%' IDENTIFIED BY $(quoted "$root_password");"
    echo "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    database=$(setting DATABASE)
    user=$(setting USER)
    [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    if [ -n "$user" ]; then
      echo "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$(setting PASSWORD)");"
      [ -z "$database" ] || echo "GRANT ALL ON \`$database\`.* TO $(quoted "$user")@'%';"
    fi
  } > "$run/first-start.sql"
  chown mysql:mysql "$run/first-start.sql"
  set -- --init-file="$run/first-start.sql" "$@"
fi

exec mariadbd --user=mysql --datadir="$data" --socket="$run/mysqld.sock" --bind-address='*' "$@"
