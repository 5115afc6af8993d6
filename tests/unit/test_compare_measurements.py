"""The comparison of two runs' measurements sees what is missing, moved and new."""

from __future__ import annotations

from tests.compare_measurements import SAME, differences, main

HEAD = "paper,{},setting,model,method,seed,metric,value,n\n"
OLD = HEAD.format("artifact") + "p,table_1,all,m,full,0,score,1.5,4\np,table_3,kmeans,m,top,0,score,2.5,4\n"
NEW = HEAD.format("experiment") + "p,eval/a,all,m,full,0,score,1.5,4\np,eval/b,all,m,top,0,score,2.5,4\n"


def row(setting="all", value="1.5", method="full"):
    return dict(zip(SAME, ("p", setting, "m", method, "0", "score", value, "4")))


def test_where_a_value_is_stored_does_not_matter(tmp_path):
    for name, text in (("old.csv", OLD), ("new.csv", NEW)):
        (tmp_path / name).write_text(text)
    assert main([str(tmp_path / "old.csv"), str(tmp_path / "new.csv")]) == 0
    (tmp_path / "new.csv").write_text(NEW.replace("2.5", "2.50000001"))
    assert main([str(tmp_path / "old.csv"), str(tmp_path / "new.csv")]) == 1
    assert main([str(tmp_path / "old.csv"), str(tmp_path / "new.csv"), "--paper", "q"]) == 0


def test_missing_moved_and_new_are_told_apart():
    found = differences([row(), row("kmeans", "2")], [row("all", "2"), row(method="top")])
    assert {kind: [(key[1], key[3], key[6]) for key in keys] for kind, keys in found.items()} == {
        "missing": [("all", "full", "1.5")],
        "moved": [("kmeans", "full", "2")],
        "new": [("all", "top", "1.5")],
    }
