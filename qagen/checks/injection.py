"""Text that speaks to a language model instead of its reader: instructions, role markers, and their disguises.

What a paper says about models, prompts and assistants is left in peace; what it says to them is not. Disguises are
taken off first: invisible and look-alike characters, letters set apart, digits for letters, base64 and hexadecimal.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from qagen.checks.words import content_words

# Who is spoken to: a thing that reads by itself. By name; by what it does ("software that condenses this article"); or, in a row of
# its like ("all reviewers and models"), by a bare noun, which alone is too common to mean anything.
_HEADS = (
    r"(?:assistants?|systems?|models?|agents?|reviewers?|readers?|tools?|bots?|summari[sz]ers?|crawlers?|scrapers?|annotators?|generators?|pipelines?|programs?|"
    r"programmes?|software|services?|engines?|parsers?|processors?|indexers?|graders?|algorithms?|applications?|scripts?|machines?|raters?|extractors?|robots?|"
    r"evaluators?|labellers?|labelers?|translators?|editors?|referees?|workflows?|teachers?)"
)
_KINDS = (
    r"(?:AI|artificial\s+intelligence|automat\w+|virtual|digital|machine(?:[\s-](?:reading|learning))?|computer|electronic|robotic|"
    r"(?:natural[\s-])?(?:language|text|document|question|answer|reading|summari[sz]\w+|review\w*|annotat\w+|indexing|search|chat)(?:[\s-](?:process\w+|generat\w+|"
    r"answering|summari[sz]\w+|reading|writing|making|extract\w+|review\w*|mining|analy\w+))?|generative|intelligent|unattended|non-human|synthetic)"
)
_NAMED = (
    rf"(?:(?:large\s+)?language\s+models?|LLMs?|AIs?|chat\s?bots?|ChatGPT|GPT-?\d*|neural\s+networks?\s+reading|assistant\s+(?:that|which)\s+\w+s|"
    rf"(?:{_KINDS}[\s-]+){{1,3}}{_HEADS})"
)
_READS = (
    r"(?:read|process|summari[sz]|condens|digest|ingest|pars|index|analy[sz]|annotat|review|crawl|scrap|translat|extract|generat|writ|mak|creat|produc|answer|scan|"
    r"evaluat|grad|rat|label|train|distil|quot|handl|consum|receiv|see|us|giv|fed|show|feed|turn|convert|transform|tak|load|open|encounter|access|fetch|render|split|cut|stor)\w*"
)
_THIS = (
    r"(?:this|the\s+present|these|that\s+are\s+given\s+this)\s+(?:\w+\s+)?(?:documents?|texts?|papers?|articles?|pages?|manuscripts?|files?|reports?|notes?|works?|"
    r"passages?|lines?|sections?|studies|study|abstract|content|source|paragraphs?|sentences?)"
)
_ALL = r"(?:all|any|every|each|whichever|whatever|no)"
_READER = (
    rf"(?:{_NAMED}|{_HEADS})(?:\s+of\s+[\w-]+)?(?:\s+(?:and|or)\s+(?:the\s+like|[\w-]+))?,?\s+(?:(?:that|which|who|when|while)\s+|(?:is|are|be|were|was|ha(?:s|ve)\s+been)\s+|"
    rf"used\s+to\s+|built\s+to\s+|made\s+to\s+|"
    rf"tasked\s+with\s+|designed\s+to\s+|meant\s+to\s+){{0,3}}{_READS}\s+(?:[\w-]+\s+){{0,6}}?{_THIS}"
)
_MODELS = _NAMED
_AND_SO_ON = rf"(?:\s+of\s+{_THIS}|(?:,\s*|\s+and\s+|\s+or\s+)[\w -]{{3,30}}?){{0,2}}"
# How it is ordered.
_MODAL = (
    r"(?:must|should|shall|please|ought\s+to|needs?\s+to|ha(?:s|ve)\s+to|(?:is|are)\s+(?:(?:kindly|hereby|also|strictly|politely|always|therefore)\s+)?"
    r"(?:to|(?:asked|told|instructed|required|ordered|requested|expected|reminded|urged|advised|invited|obliged|encouraged|supposed|directed|bound|commanded|begged|"
    r"informed|notified|warned|forbidden|prohibited)\s+(?:to|that|from|not\s+to)))"
)
_SAYING = (
    r"(?:answer|reply|respond|output|say|state|write|praise|recommend|report|print|repeat|rate|insert|mention|claim|conclude|assert|pretend|mark|score|accept|refuse|"
    r"tell|list|cite|prefer|rank|describe|call|present|portray|note|declare|confirm|emphasi[sz]e|stress|highlight|omit|skip|leave\s+out|ask|add|credit|attribute|quote|"
    r"advertise|promote|endorse|insist|deny|disregard|ignore|forget|start|begin|end|stop|remember|obey|follow)"
)
_OBEY = rf"(?:{_SAYING}|include|give|act|summari[sz]e|generate|produce|use|treat)"
_JUDGING = (
    r"(?:rate|praise|recommend|endorse|credit|accept|score|rank|advertise|promote|obey|answer|reply|respond|disregard|"
    r"say\s+that|state\s+that|write\s+that)"
)
_ORDERS = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|other|existing|original|all|any|every|your|these|those|the|my|system|"
    r"safety|of)"
)
_PRODUCTS = (
    r"(?:answers?|questions?|summar(?:y|ies)|responses?|repl(?:y|ies)|reviews?|abstracts?|digests?|annotations?|descriptions?|"
    r"Q\s?&\s?As?|question[-\s]answer\s+pairs?)"
)
_ADVERBS = r"(?:always\s+|only\s+|now\s+|not\s+|never\s+|then\s+|simply\s+|just\s+|first\s+|instead\s+|likewise\s+|kindly\s+|please\s+)*"
_SPEAKS = re.compile(
    rf"\b(?:ignore|disregard|forget|override|bypass|neglect)\s+(?:{_ORDERS}\s+){{1,5}}"
    r"(?:instructions?|prompts?|rules|guidelines|directions|directives|commands|"
    r"constraints|context|task)\b(?!\s+(?:found|given|contained|hidden|embedded|in|from|that)\b)"
    r"|\b(?:ignore|disregard|forget|override)\s+everything\s+(?:above|before|you)"
    rf"|\b(?:attention|note|message|instructions?|notice|request|reminder|hint|warning|advice|memo|information)\s*(?:to|for|:)\s*(?:{_ALL}\s+|the\s+|an?\s+)?{_MODELS}\b"
    rf"\s*(?:[:.,;–—-]|{_READS})"
    rf"|\b{_HEADS}\s+(?:that|which)\s+{_READS}\s+(?:[\w-]+\s+){{0,3}}?(?:texts?|papers?|articles?|documents?|publications?|literature|abstracts?|manuscripts?)\b"
    rf"[^.!?]{{0,40}}?\b{_MODAL}\s+{_ADVERBS}(?:describe|call|present|portray|praise|rank|rate|recommend|claim|(?:state|say|report|write|mention)\s+that)\b"
    rf"|\b(?:attention|note|dear|to)\s*:?\s+(?:{_ALL}\s+)?{_READER}"
    rf"|\b(?:if|when|since|because|as|should)\s+you\s+(?:are|be)\s+(?:an?|the)\s+{_MODELS}|\byou\s+are\s+(?:now\s+|no\s+longer\s+)?(?:an?|the)\s+(?:\w+\s+)?(?:{_MODELS}|assistant)\b"
    # any reader of this document | any automatic reader | language models, unless one is spoken of: `the AI agent must answer`
    rf"|\b{_READER}\b[^.!?]{{0,60}}?\b{_MODAL}\s+{_ADVERBS}\w+"
    rf"|\b{_ALL}\s+(?:[\w-]+,?\s+(?:and\s+|or\s+)?){{0,2}}{_MODELS}\b[^.!?]{{0,60}}?\b{_MODAL}\s+{_ADVERBS}(?:ignore\b.{{0,40}}?\band\s+)?{_OBEY}\b"
    rf"|(?<!\bthe\s)(?<!\bour\s)(?<!\bthis\s)(?<!\ban\s)(?<!\ba\s)(?<!\bof\s)\b{_MODELS}{_AND_SO_ON},?\s+{_MODAL}\s+{_ADVERBS}"
    rf"(?:(?:ignore|treat|label|omit|praise|recommend|rate|endorse|promote|advertise|credit|claim|say|state|write|report|prefer|list|output|print|repeat|mention|present|describe|answer)\b"
    r"(?!\s+(?:in|by|with|to|truthfully|correctly)\b))"
    rf"|\b{_MODELS}{_AND_SO_ON},?\s+(?:is|are)\s+(?:kindly\s+|hereby\s+)?(?:reminded|informed|notified|advised|warned|told|assured)\s+that\b"
    rf"|\b(?:whoever|any(?:one|body)\s+(?:who|that)|those\s+(?:who|that))\s+(?:trains?|prompts?|instructs?|tunes?|runs?)\s+(?:an?\s+|the\s+)?(?:\w+\s+)?(?:{_HEADS}|{_MODELS})\s[^.!?]{{0,20}}{_THIS}"
    rf"[^.!?]{{0,20}}\b{_MODAL}\s"
    rf"|(?:^|[.!?:;]\s)to\s+(?:{_ALL}|the|you)\s+(?:{_MODELS}|{_HEADS})\s+{_READS}\b[^.!?:]{{0,40}}:"
    rf"|\b{_THIS}\s+(?:is|are)\s+(?:\w+\s+)?for\s+(?:the\s+|all\s+|any\s+)?{_MODELS}\s*(?:only|alone|:|[^.!?]{{0,20}}:)"
    rf"|\b{_ALL}\s+(?:(?:{_HEADS}|readers)(?:\s+(?:and|or)\s+|,\s*))+(?:{_HEADS})\s+{_MODAL}\s+{_ADVERBS}{_OBEY}\b"
    rf"|\b{_ALL}\s+(?:\w+\s+)?{_HEADS}\s+{_MODAL}\s+{_ADVERBS}{_JUDGING}\b"
    rf"|(?:^|[.!?:;]\s)(?:dear\s+)?{_MODELS}\s*[,:]\s*(?:please\s+|you\s+|always\s+|do\s+not\s+)?{_OBEY}\b"
    rf"|\bas\s+an?\s+(?:AI|{_MODELS})\b.{{0,20}}\b(?:I|you)\b"
    rf"|\b(?:hello|hi|hey|dear|greetings)\s*,?\s+(?:all\s+)?{_MODELS}\b"
    rf"|\b(?:only|intended|meant|addressed|written|destined)\s+(?:only\s+|solely\s+)?(?:for|to)\s+(?:the\s+|any\s+|all\s+)?(?!use\b){_MODELS}\s+(?:only|to\s+read|that\s+read|reading)\b"
    rf"|\bplease\s+(?:remember\s+to|always|make\s+sure\s+(?:to|that\s+you))\s+(?:{_OBEY}|describe|call|portray|present)\b"
    # what is to be written about it
    rf"|\b(?:every|all|any|each|no)\s+(?:\w+\s+)?{_PRODUCTS}\b[^.]{{0,60}}"
    r"\b(?:must|should|shall|ha(?:s|ve)\s+to|ought\s+to|needs?\s+to|(?:is|are)\s+to)\s+(?:always\s+|only\s+|also\s+|not\s+|never\s+)?(?:contain|mention|say|state|claim|be\s+answered\s+(?:with|by)|praise|"
    r"recommend|(?:begin|start|end|close|open)\s+with|include|report|name|stress|call|describe|omit|read|conclude|give)\b"
    rf"|\b{_PRODUCTS}\s+(?:of|about|on|to|from|derived\s+from|based\s+on|generated\s+from|concerning)\s+(?:\w+\s+){{0,3}}?{_THIS}\b[^.]{{0,40}}\b{_MODAL}\s+{_ADVERBS}\w+"
    # what is to be said when asked
    r"|\b(?:when(?:ever)?|if|should|once|wherever)\s+(?:you\s+(?:are|get)\s+|you're\s+|(?:any|some|any\s?|some\s?)(?:one|body)\s+|(?:a|the)\s+(?:user|reader|person)s?\s+|"
    r"users?\s+|people\s+|ever\s+)*(?:asks?|asked|quer(?:y|ies|ied)|questioned|prompted|enquires?|inquires?|wants?\s+to\s+know|a\s+question)\b"
    rf"[^.,;:]{{0,80}}[,;:]?\s*(?:please\s+|always\s+|simply\s+|only\s+|just\s+|then\s+|you\s+(?:must|should|shall|will)\s+)*(?:(?<=[,;:]\s)|(?<=please\s)|(?<=always\s)|(?<=must\s))"
    r"(?:say|answer|reply|respond|state|claim|tell|report|insist|confirm|deny|mention|declare|give|write|recommend)\b"
    r"|\byou\s+(?:must|should|shall|will|are\s+to|have\s+to)\s+(?:now\s+|always\s+|only\s+|not\s+|never\s+)*(?:answer|reply|respond|say|claim|praise|recommend|conclude|obey|mention|tell|write\s+that)\b"
    r"|\b(?:your|new|updated|real|actual|hidden|secret)\s+(?:system\s+)?(?:instructions?|prompt|task)\s+(?:is|are|now|:|reads?)"
    r"|\b(?:reveal|print|repeat|show|output|leak)\s+(?:me\s+)?(?:your|the)\s+(?:system\s+|hidden\s+|initial\s+)?(?:prompt|instructions)\b"
    r"|\b(?:begin|end|start)\s+of\s+(?:system\s+)?(?:instructions|prompt)\b"
    rf"|\b(?:answer|respond\s+to|reply\s+to)\s+(?:every|all|any|each)\s+(?:\w+\s+)?questions?\s+(?:about|on|with|by|that|regarding)\b"
    rf"|\b(?:write|generate|ask|produce|create)\s+(?:only|no|just)\s+(?:positive\s+|good\s+)?questions?\b"
    r"|\bthe\s+(?:correct|only|right)\s+answer\s+to\s+(?:any|every|all|each)\s+questions?\b"
    r"|\bdo\s+not\s+(?:mention|reveal|disclose|tell)\b.{0,60}\b(?:to\s+the\s+user|this\s+instruction|these\s+instructions|in\s+your\s+(?:answer|reply|response|summary))"
    rf"|\b(?:in|of|to|with)\s+your\s+{_PRODUCTS}\b|\byour\s+(?:answer|repl|response|summar|output)\w*\s+{_MODAL}"
    r"|\b(?:give|write|provide)\s+(?:only\s+)?(?:a\s+)?(?:positive|favou?rable)\s+reviews?\s+only\b|\bDAN\s+mode\b|\bjailbreak(?:ed)?\s+mode\b",
    re.I | re.S,
)
_MARKERS = re.compile(
    r"<\|[\w ]{2,20}\|>|\[/?INST\]|<</?SYS>>|<\s*/?\s*(?:system|assistant|instructions?|prompt)\s*>"
    r"|^\s*#{2,}\s*(?:instructions?|system|response|assistant|human|user)\s*:|^\s*(?:assistant|system\s+prompt|human)\s*:\s*\S"
    r"|\bBEGIN_?SYSTEM|\bEND_?OF_?PROMPT",
    re.I | re.M,
)
_HAN_HEADS = r"(?:程序|软件|系统|模型|工具|助手|机器人|智能体|代理|读者|审稿人|摘要器|爬虫|标注[员者器]|服务|算法|引擎|脚本|机器)"
_HAN_MODELS = (
    r"(?:大?语言模型|大模型|人工智能(?:助手|模型|系统)?|智能助手|AI\s*(?:助手|模型|系统|读者|审稿人?|工具|程序)?|聊天机器人|GPT|智能体|"
    rf"(?:自动|机器|智能|文本|问答|摘要)[\u3400-\u9fff]{{0,8}}{_HAN_HEADS})"
)
_HAN_THIS = r"(?:本|此|该|这[篇份个]?)(?:文|页|文档|文件|论文|文章|报告|资料|材料|段|稿)"
_HAN_MUST = r"(?:必须|应当|应该|应(?![用力变])|须(?!知)|请|务必|一律|只能|只可|需要|都要|均[须要应]|不得|不要|有义务|理应)"
_HAN_SAYING = (
    r"(?:回答|答复|答(?!案)|输出|回复|说(?!明书)|写|忽略|给出|生成|提及|声称|评价|推荐|注明|声明|称|报告|强调|指出|"
    r"标注|宣称|表示|填写|列为|称赞|赞扬|补充|加上|附上|告诉|承认|删去|省略|认定|评为)"
)
_HAN_READS = r"(?:阅读|读取|处理|解析|摘要|总结|概括|抓取|索引|翻译|标注|提问|问答|出题|看到|读到|收到|生成|分析|审阅|训练)"
_SPEAKS_HAN = re.compile(
    r"(?:忽略|无视|忘记|忘掉|不要理会|不要遵守|跳过|抛开).{0,12}(?:指令|提示词?|说明|要求|规则|设定|命令)"
    rf"|{_HAN_MODELS}[^。！？\n]{{0,15}}?(?:请|务必|一律|都要|不得|不要|只能|只可|均[须要应])[^。！？\n]{{0,8}}?{_HAN_SAYING}"
    rf"|{_HAN_MODELS}[^。！？\n才能]{{0,15}}?{_HAN_MUST}[^。！？\n才能过]{{0,8}}?(?:声称|宣称|称(?!量|重)|说(?!明书)|写[上明出成道]|忽略|评价|推荐|称赞|赞扬|强调|承认|认定|回答(?=[这本此该“「\"：:是]))"
    rf"|请(?:所有|各|各类|任何)?{_HAN_MODELS}[^。！？\n]{{0,12}}?{_HAN_SAYING}"
    # whoever reads this: 对本文进行摘要的程序都请写上
    rf"|{_HAN_THIS}[^。！？\n]{{0,6}}?{_HAN_READS}[^。！？\n]{{0,6}}?的[^。！？\n]{{0,8}}?{_HAN_HEADS}[^。！？\n]{{0,10}}?{_HAN_MUST}[^。！？\n]{{0,10}}?{_HAN_SAYING}"
    rf"|{_HAN_READS}{_HAN_THIS}的[^。！？\n]{{0,4}}?(?:{_HAN_HEADS}|{_HAN_MODELS})[^。！？\n]{{0,10}}?{_HAN_MUST}"
    rf"|(?:自动|程序|机器|模型|AI|软件)[^。！？\n]{{0,8}}?{_HAN_READS}{_HAN_THIS}[^。！？\n]{{0,6}}?(?:者|时|的)?[，,]?(?:请|务必|一律|须|必须|应当?)"
    rf"|(?:凡|任何|所有|一切|各类|每[个种]?)[^。！？\n，]{{0,16}}?(?:自动|机器|智能|AI)[^。！？\n，]{{0,8}}?{_HAN_HEADS}[^。！？\n]{{0,10}}?{_HAN_MUST}[^。！？\n]{{0,10}}?{_HAN_SAYING}"
    rf"|(?:致|告|提醒|请)(?:所有|各位|任何|各|全体)?.{{0,4}}?(?:语言模型|大模型|AI\s*(?:助手|模型|读者|审稿)|人工智能助手|智能助手|自动(?:摘要|问答|阅读|标注))"
    r"|(?:你是|你现在是|如果你是|假如你是|若你是).{0,8}(?:语言模型|助手|人工智能|AI|模型|机器人|程序)"
    r"|(?:若|如果|如|当|凡是?|一旦)[^。！？\n，]{0,6}?(?:问到|问及|问起|被问|提问|询问)[^。！？\n]{0,20}?[，,]?(?:请|就|须|应|一律|必须|务必|只需|直接)(?:回答|答|说|告诉|回复|称|写)"
    r"|(?:仅|只|专)?供.{0,6}?(?:自动|AI|人工智能|模型|机器|爬虫|程序).{0,8}?(?:阅读|读取|处理)|(?:凡|所有|任何)?(?:涉及|关于|有关).{0,20}?(?:问题|提问).{0,6}?(?:一律|都|必须|务必|统一).{0,4}?(?:回答|答复|回复)"
    r"|一律(?:回答|答复|回复|写成|写作)|系统提示词?[：:]|(?:在|把)?(?:每|所有|任何)(?:个|一个|条)?(?:答案|回答|摘要|问题的答案)(?:中|里)?.{0,6}(?:写明|写上|都写|加上|必须|说明|一律)"
    rf"|(?:回答|生成)(?:所有|任何|每个)?.{{0,4}}问题时.{{0,8}}(?:必须|务必|只|一律|请)|新的?(?:指令|任务)[：:]|你的(?:回答|答案|摘要|输出|总结)(?:中|里)?[^。！？\n]{{0,6}}?{_HAN_MUST}",
    re.S,
)
_COMMENT = re.compile(r"<!--(.*?)-->|^\[(?://|comment)\]:?\s*[#<(]\s*\(?(.*?)\)?>?$", re.S | re.M)
_COMMANDS = re.compile(
    rf"\b(?:you|your|{_OBEY}\s+(?:that|with|only|the\s+(?:answer|question|words?))|questions?|answers?|instructions?|assistants?|{_MODELS})\b",
    re.I,
)

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]")
_TAGS = {code: chr(code - 0xE0000) for code in range(0xE0020, 0xE007F)}  # letters that no font shows
_ALIKE = str.maketrans("аеорсухіјѕԁһԛԝАВЕКМНОРСТХІЅοαενικρτυχ", "aeopcyxijsdhqwABEKMHOPCTXISoaevikptux")
_LEET = str.maketrans("013457@$", "oieasta" + "s")
_MIXED = re.compile(r"\b(?=\w*[a-z])(?=\w*[0134579@$])[a-z0134579@$]{4,}\b", re.I)
_APART = re.compile(r"(?<![^\W_])(?:[A-Za-z][\s.\-_*·|]{1,3}){5,}[A-Za-z](?![^\W_])")
_HAN_APART = re.compile(r"(?<=[\u3400-\u9fff])[ \u3000.\-_*·|]+(?=[\u3400-\u9fff])")
_COMPACT = re.compile(
    r"(?:ignore|disregard|forget|override)(?:all|any|the|your|every|these|of|previous|prior|above|earlier|preceding|other|system){1,6}"
    r"(?:instructions?|prompts?|rules|guidelines)|youare(?:an?|now|the)(?:ai|languagemodel|assistant)|languagemodelsmust|(?:write|say|answer)only"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？]|\n\s*\n|-->|$")
_LONGEST_ORDER = 600  # characters that may follow what speaks to a model and still be part of it
_BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{24,}={0,2}(?![\w+/])")
_HEX = re.compile(r"(?<!\w)(?:0x)?(?:[0-9a-f]{2}[ :]?){14,}(?!\w)", re.I)


@lru_cache(maxsize=4096)
def addresses_a_model(text: str) -> str | None:
    """The words with which a text speaks to a language model instead of its reader, or None."""
    if found := _speaks(text):
        return found
    for bare in _undisguised(text):
        if bare != text and (found := _speaks(bare)):
            return found
    return _in_one_piece(text)


@lru_cache(maxsize=256)
def stretches(text: str) -> tuple[tuple[int, int], ...]:
    """Where in a text its passages lie that speak to a model: from the sentence that does so to the end of its paragraph."""
    found: list[tuple[int, int]] = []
    start = 0
    for end in [match.end() for match in _SENTENCE_END.finditer(text)]:
        if end > start and start >= (found[-1][1] if found else 0) and addresses_a_model(text[start:end]):
            close = text.find("\n\n", end)
            found.append((start, min(len(text) if close < 0 else close, end + _LONGEST_ORDER)))
        start = end
    return tuple(found)


def repeats_an_order(text: str, answer: str, elsewhere: str) -> str | None:
    """Words of an answer that stand in an order to models and nowhere else in the source, or None."""
    ordered = {word for start, end in stretches(text) for word in content_words(text[start:end])}
    if not ordered:
        return None
    rest, at = "", 0
    for start, end in stretches(text):
        rest, at = rest + text[at:start] + " ", end
    told = (ordered & set(content_words(answer))) - set(content_words(rest + text[at:])) - set(content_words(elsewhere)) - _OF_ANSWERS
    return ", ".join(sorted(told)) or None


_OF_ANSWERS = frozenset(content_words("answer answers question source text document paper summary say state report yes no"))


def _speaks(text: str) -> str | None:
    for pattern in (_SPEAKS, _MARKERS, _SPEAKS_HAN):
        if found := pattern.search(text):
            return found[0].strip()
    for comment in _COMMENT.finditer(text):
        inside = comment[1] or comment[2] or ""
        if len(_COMMANDS.findall(inside)) >= 2:
            return inside.strip()[:80]
    return None


def _undisguised(text: str) -> Iterator[str]:
    """The text without its disguises, one after the other and all at once."""
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text.translate(_TAGS))).translate(_ALIKE)
    yield seen
    yield _INVISIBLE.sub(" ", text)
    yield _HAN_APART.sub("", seen)
    if _MIXED.search(seen):
        yield _MIXED.sub(lambda word: word[0].lower().translate(_LEET), seen)
    yield from _decoded(seen)


def _decoded(text: str) -> Iterator[str]:
    for found in _BASE64.finditer(text):
        try:
            yield base64.b64decode(found[0] + "=" * (-len(found[0]) % 4), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue  # long words and checksums are no base64 of a text
    for found in _HEX.finditer(text):
        try:
            yield bytes.fromhex(re.sub(r"^0x|[ :]", "", found[0])).decode("utf-8")
        except (ValueError, UnicodeDecodeError):
            continue  # a hexadecimal number, no text


def _in_one_piece(text: str) -> str | None:
    """`i g n o r e  a l l  r u l e s`: letters that stand apart, read without what parts them."""
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_ALIKE)
    apart = "".join(re.sub(r"[^A-Za-z]", "", found[0]) for found in _APART.finditer(seen)).lower()
    found = _COMPACT.search(apart) if apart else None
    return found[0] if found else None
