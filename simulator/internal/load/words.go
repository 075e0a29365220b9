package load

import "github.com/wxstack/wxstack/simulator/internal/phrase"

// What findings say.
var (
	sawNone           = phrase.Phrase{Zh: "粉丝没有看到回复", En: "the follower saw no answer"}
	sawTwo            = phrase.Phrase{Zh: "粉丝看到了两次回复", En: "the follower saw two answers"}
	sawWrong          = phrase.Phrase{Zh: "粉丝看到%s：%s", En: "the follower saw %s: %s"}
	answersAnother    = phrase.Phrase{Zh: "它回复的是 %s，而不是 %s", En: "it answers message %s, not %s"}
	mustBe            = phrase.Phrase{Zh: "应为 %q", En: "it must be %q"}
	mustBeTheFile     = phrase.Phrase{Zh: "应为同一个文件", En: "it must be the same file again"}
	mustContain       = phrase.Phrase{Zh: "应包含 %q", En: "it must contain %q"}
	toldAnother       = phrase.Phrase{Zh: "回复发给了 %s：%s", En: "%s was told the answer to it: %s"}
	repeatedInVain    = phrase.Phrase{Zh: "重复推送没有有效应答", En: "the repeated delivery got no valid answer"}
	answeredOtherwise = phrase.Phrase{Zh: "重复推送得到%s，第一次得到%s", En: "the repeated delivery was answered with %s, the first with %s"}

	nothing = phrase.Phrase{Zh: "空应答", En: "nothing to show"}
	theFile = phrase.Phrase{Zh: "文件 %s", En: "the file %s"}
	quoted  = phrase.Phrase{Zh: "%q", En: "%q"}
)
