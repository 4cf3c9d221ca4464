"""Training lengths of the papers, and what follows from them."""

import json


def by_name(ganbench, *patterns):
    code, out, err = ganbench("budgets", *patterns, "--json")
    assert (code, err) == (0, "")
    return {row["experiment"]: row for row in json.loads(out)}


def test_lengths_are_the_papers_and_the_rest_follows_from_the_schedules(ganbench):
    rows = by_name(ganbench)
    assert rows["wgan_gp/cifar10-resnet"]["gen_iters"] == 100_000
    assert rows["wgan_gp/cifar10-resnet"]["critic_updates"] == 500_000
    # 25 + 1199 long loops of 100 critic steps (0 … 24, then every 500th), the others of 5
    assert rows["wgan/lsun64"]["gen_iters"] == 600_000
    assert rows["wgan/lsun64"]["critic_updates"] == 100 * 1224 + 5 * (600_000 - 1224)
    assert rows["wgan/lsun64"]["real_images"] == 64 * rows["wgan/lsun64"]["real_minibatches"]
    assert rows["dcgan/cifar10"]["real_minibatches"] == rows["dcgan/cifar10"]["critic_updates"] == 200_000


def test_what_no_paper_prints_is_not_filled_in(ganbench):
    rows = by_name(ganbench, "gan/mnist", "gan/digits")
    for row in rows.values():
        assert row["gen_iters"] is row["critic_updates"] is row["real_images"] is None
    code, out, _ = ganbench("budgets", "gan/mnist", "gan/digits")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "not printed" in lines["gan/mnist"]
    assert "suite's" in lines["gan/digits"]
    assert "not printed" not in lines["gan/digits"]


def test_patterns_choose_among_both_kinds_and_what_is_not_implemented_says_so(ganbench):
    rows = by_name(ganbench, "dcgan/lsun64*")
    assert {name for name, row in rows.items() if row["implemented"]} == {
        "dcgan/lsun64",
        "dcgan/lsun64-printed",
    }
    other = rows["dcgan/lsun64-1-epoch"]
    assert (other["implemented"], other["gen_iters"], other["critic_updates"]) == (False, 11_848, None)
    assert len({tuple(sorted(row)) for row in rows.values()}) == 1
    assert rows["dcgan/lsun64"]["where"] == ["Fig. 1", "Fig. 3"]
    text = ganbench("budgets", "dcgan/lsun64*")[1]
    first, second = text.split("not implemented here")
    assert "dcgan/lsun64-printed " in first
    assert "1-epoch" not in first
    assert "dcgan/lsun64-1-epoch " in second
    assert "not printed" in ganbench("budgets", "wgan_gp/lsun128*")[1]
    assert set(by_name(ganbench)) > set(rows)


def test_pattern_without_a_match_is_a_usage_error(ganbench):
    code, out, err = ganbench("budgets", "wgan/cifr10")
    assert (code, out) == (2, "")
    assert "Did you mean 'wgan/cifar10'?" in err
