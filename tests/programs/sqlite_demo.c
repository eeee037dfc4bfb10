/* Work for SQLite: a database in a file, transactions, an index, joins, text, JSON, and a check in the end. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static int print_row(void *unused, int count, char **values, char **names)
{
    (void)unused;
    (void)names;
    for (int i = 0; i < count; i++)
        printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
    printf("\n");
    return 0;
}

static sqlite3 *db;

static void run(const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, print_row, NULL, &message) != SQLITE_OK) {
        printf("error: %s in %s\n", message, sql);
        exit(1);
    }
}

static void fill(int rows)
{
    sqlite3_stmt *insert;
    run("BEGIN");
    sqlite3_prepare_v2(db, "INSERT INTO item (name, price, tag) VALUES (?, ?, ?)", -1, &insert, NULL);
    unsigned state = 12345;
    for (int i = 0; i < rows; i++) {
        char name[32];
        state = state * 1103515245u + 12345u;
        snprintf(name, sizeof name, "item-%u", state >> 8);
        sqlite3_bind_text(insert, 1, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_double(insert, 2, (state >> 16) / 7.0);
        sqlite3_bind_int(insert, 3, (int)(state >> 20) % 50);
        if (sqlite3_step(insert) != SQLITE_DONE)
            printf("error: %s\n", sqlite3_errmsg(db));
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run("COMMIT");
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : ":memory:";
    int rows = argc > 2 ? atoi(argv[2]) : 1000;
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        printf("cannot open %s: %s\n", path, sqlite3_errmsg(db));
        return 1;
    }
    run("PRAGMA journal_mode=DELETE");
    run("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, tag INTEGER)");
    run("CREATE TABLE tag (id INTEGER PRIMARY KEY, label TEXT)");
    run("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<49)"
        " INSERT INTO tag SELECT i, printf('tag %02d', i) FROM n");
    fill(rows);
    run("CREATE INDEX item_by_tag ON item (tag, price)");
    run("SELECT count(*), round(sum(price), 3), min(name), max(name) FROM item");
    run("SELECT label, count(*), round(avg(price), 6) FROM item JOIN tag ON tag.id = item.tag"
        " GROUP BY label ORDER BY 2 DESC, 1 LIMIT 5");
    run("UPDATE item SET name = upper(name) || '!' WHERE tag % 2 = 0");
    run("DELETE FROM item WHERE price < 100");
    run("SELECT substr(name, 1, 5), count(*) FROM item WHERE name LIKE 'ITEM-1%' GROUP BY 1 ORDER BY 1");
    run("SELECT json_group_array(json_object('id', id, 'label', label)) FROM (SELECT * FROM tag LIMIT 2)");
    run("SELECT name FROM item ORDER BY price DESC, name LIMIT 3");
    run("BEGIN");
    run("DELETE FROM item");
    run("ROLLBACK");
    run("SELECT count(*) > 0 FROM item");
    run("VACUUM");
    run("PRAGMA integrity_check");
    sqlite3_close(db);
    return 0;
}
