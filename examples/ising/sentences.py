"""What the questions and answers say, in English and in Chinese."""

from __future__ import annotations

ENGLISH = {
    "ising": "two-dimensional Ising model",
    "potts": "two-dimensional {q}-state Potts model",
    "shown": "This is a configuration of the {model} on a {size} x {size} square lattice with periodic boundaries ({coding}), row by row:",
    "coding ising": "1 is spin up, 0 is spin down",
    "coding potts": "digits 0 to {last} are the states",
    "ask magnetisation": "What is its magnetisation per spin m, counting up as +1 and down as -1?",
    "ask order": "What is its order parameter m = (q n_max / N - 1) / (q - 1), n_max being the number of spins in the most frequent state?",
    "ask energy": "What is its energy per spin, in units of the coupling J, each bond between nearest neighbours counted once?",
    "up down": "Of the {total} spins, {up} are up and {down} are down.",
    "most": "The most frequent state is that of {most} of the {total} spins.",
    "bonds": "Of the {bonds} bonds, {equal} join equal spins and {other} join unequal ones.",
    "ask phase": "In which phase is the {model} with coupling J on an infinite square lattice at T = {temperature} J/k_B?",
    "ordered": "In the ordered phase: the temperature is below the critical one.",
    "disordered": "In the disordered phase: the temperature is above the critical one.",
    "ask temperature": "A Monte Carlo simulation of the {model} on a {size} x {size} square lattice gives a mean energy "
    "of {energy} J per spin and a mean order parameter of {order}. At which temperature was it run?",
    "ask critical": "At which temperature does long-range order vanish in the {model} (coupling J, infinite square lattice)?",
    "ask onsager": "What is the spontaneous magnetisation per spin of the {model} on an infinite square lattice "
    "at T = {temperature} J/k_B?",
    "simulated magnetisation": "Simulated Ising film at T = {temperature}: magnetisation per spin?",
    "simulated energy": "Simulated Ising film at T = {temperature}: energy per spin?",
    "measured magnetisation": "Measured Ising film at T = {temperature}: magnetisation per spin?",
    "measured energy": "Measured Ising film at T = {temperature}: energy per spin?",
}

CHINESE = {
    "ising": "二维伊辛模型",
    "potts": "二维 {q} 态 Potts 模型",
    "shown": "下面逐行给出{model}在 {size} x {size} 周期性边界正方晶格上的一个构型（{coding}）：",
    "coding ising": "1 表示自旋向上，0 表示自旋向下",
    "coding potts": "数字 0 到 {last} 表示自旋的状态",
    "ask magnetisation": "以向上为 +1、向下为 -1，该构型每个自旋的磁化强度 m 是多少？",
    "ask order": "该构型的序参量 m = (q n_max / N - 1) / (q - 1) 是多少？n_max 是处于最多状态的自旋数。",
    "ask energy": "以耦合常数 J 为单位，每条最近邻键只计一次，该构型每个自旋的能量是多少？",
    "up down": "{total} 个自旋中有 {up} 个向上，{down} 个向下。",
    "most": "{total} 个自旋中有 {most} 个处于最多的那个状态。",
    "bonds": "{bonds} 条键中有 {equal} 条连接相同的自旋，{other} 条连接不同的自旋。",
    "ask phase": "耦合常数为 J 的{model}在无限大正方晶格上，T = {temperature} J/k_B 时处于哪个相？",
    "ordered": "处于有序相：温度低于临界温度。",
    "disordered": "处于无序相：温度高于临界温度。",
    "ask temperature": "在 {size} x {size} 正方晶格上对{model}作蒙特卡罗模拟，"
    "得到每个自旋的平均能量 {energy} J 和平均序参量 {order}。模拟的温度是多少？",
    "ask critical": "{model}（耦合 J，无限大正方晶格）的长程序在什么温度消失？",
    "ask onsager": "无限大正方晶格上的{model}在 T = {temperature} J/k_B 时，每个自旋的自发磁化强度是多少？",
    "simulated magnetisation": "模拟的伊辛薄膜，T = {temperature}：每个自旋的磁化强度是多少？",
    "simulated energy": "模拟的伊辛薄膜，T = {temperature}：每个自旋的能量是多少？",
    "measured magnetisation": "实测的伊辛薄膜，T = {temperature}：每个自旋的磁化强度是多少？",
    "measured energy": "实测的伊辛薄膜，T = {temperature}：每个自旋的能量是多少？",
}
