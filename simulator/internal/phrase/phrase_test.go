package phrase

import "testing"

func TestWith(t *testing.T) {
	t.Parallel()
	file := Phrase{Zh: "文件 %s", En: "the file %s"}.With("M1")
	got := Phrase{Zh: "粉丝看到%s：应为 %q，共 %d 次", En: "the follower saw %s: it must be %q, %d times"}.With(file, "好", 2)
	want := Phrase{Zh: `粉丝看到文件 M1：应为 "好"，共 2 次`, En: `the follower saw the file M1: it must be "好", 2 times`}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
