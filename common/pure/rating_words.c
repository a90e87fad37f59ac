/* SPDX-License-Identifier: Apache-2.0 */
/* rating_words.c - the words and phrases that answers are made of, folded: ae oe ue ss, no accents, no apostrophes, numbers as
 * digits. */
#include "rating_words.h"

#include <string.h>

enum { DE = RATING_GERMAN, EN = RATING_ENGLISH, ANY = DE | EN };

struct group {
    unsigned kind;
    int value, languages;
    const char *words; /* parted by single blanks; phrases by a bar */
};

static const struct group words[] = {
    /* --- numbers */
    {WORD_NUMBER, 1, ANY, "1 eins oans one"},
    {WORD_NUMBER, 2, ANY, "2 zwei zwo zwoa zwee two"},
    {WORD_NUMBER, 3, ANY, "3 drei dreie three"},
    {WORD_NUMBER, 4, ANY, "4 vier viere four"},
    {WORD_NUMBER, 5, ANY, "5 fuenf fuenfe fuemf fuenef funf five"},
    {WORD_NUMBER, 1, DE, "eens ains aans oas"},
    {WORD_NUMBER, 2, DE, "zwoara zwoei zwa zweie zwaa zwoe zwoi"},
    {WORD_NUMBER, 3, DE, "dreier drue drui dreia dree droi"},
    {WORD_NUMBER, 4, DE, "vierer viera vieri fiere veer fiera"},
    {WORD_NUMBER, 5, DE, "fuenfer fuenfi fueefi fuefi foeif fynf foifi fief foif fimf finfe fuemfe fuenfa fuffe"},
    {WORD_NUMBER, 3, EN, "sree"},
    {WORD_NUMBER, 4, EN, "fower"},
    {WORD_NUMBER, 5, EN, "fiver"},
    {WORD_BEYOND, 0, ANY, "null zero sechs sechse six sieben siebene seven acht achte eight neun neune nine zehn zehne ten elf "
                          "eleven zwoelf twelve twenty thirty forty fifty sixty seventy eighty ninety hundert hundred tausend "
                          "thousand million"},
    {WORD_HALF, 0, ANY, "half halb halbe halber einhalb eineinhalb anderthalb zweieinhalb dreieinhalb viereinhalb fuenfeinhalb "
                        "halves"},
    {WORD_JOIN, 0, ANY, "- bis oder or"},
    {WORD_JOIN | WORD_ALIKE | WORD_FOR, 2, EN, "to"},
    {WORD_POINT | WORD_STARS, 0, ANY, "komma point punkt"},
    {WORD_STARS, 0, ANY, "stern sterne sternen star stars punkte punkten points"},
    {WORD_OF, 0, ANY, "von of out"},
    {WORD_BOUND, 0, DE, "mehr weniger mindestens wenigstens ueber unter besser schlechter minimum fast knapp beinahe hoechstens "
                        "maximal"},
    {WORD_BOUND, 0, EN, "more less least over under above below better worse minimum nearly almost close max"},
    {WORD_BOUND, 0, ANY, "als than"},
    {WORD_GRADE, 0, ANY, "plus minus note noten schule schulnote schulnoten zensur zensuren school glatte glatter glattes "
                         "sternchen auszeichnung grade grades"},
    /* --- words that sound like a number */
    {WORD_ALIKE, 1, EN, "won wun"},
    {WORD_ALIKE, 2, EN, "too tu"},
    {WORD_ALIKE, 3, EN, "tree dree"},
    {WORD_ALIKE, 4, EN, "fore foor"},
    {WORD_ALIKE | WORD_FOR, 4, EN, "for"},
    {WORD_ALIKE, 5, EN, "fife fiv faive"},
    {WORD_ALIKE, 1, DE, "einz eintz"},
    {WORD_ALIKE, 2, DE, "zwai tswei"},
    {WORD_ALIKE, 3, DE, "drai dry trei"},
    {WORD_ALIKE, 4, DE, "fier fia via vir"},
    {WORD_ALIKE, 5, DE, "fuenv fumpf finf"},
    {WORD_FOR, 0, DE, "fuer fuers"},
    {WORD_TIMES | WORD_SMALL, 0, DE, "mal"},
    /* --- around a number */
    {WORD_ARTICLE, 0, DE, "eine einer einen ein nen"},
    {WORD_ARTICLE | WORD_NO, 0, DE, "ne"},
    {WORD_ARTICLE, 0, DE, "a e"},
    {WORD_ARTICLE | WORD_HESITATION, 0, EN, "a"},
    {WORD_ARTICLE, 0, EN, "an"},
    {WORD_GIVE, WORD_MINE, DE, "gebe geb vergebe vergeb sage nehme nehm bewerte tendiere"},
    {WORD_GIVE, 0, DE, "gibt gibts geben sagen druecke waehle tippe taste bewertung antwort nehmen schreiben "
                       "tragen notieren kriegen kriegt kriegst bekommt bekommst bekommen vergeben taet taete daet daecht "
                       "daechte saga sog sogn saeg saege sach sachn jibt gebts nenne"},
    {WORD_GIVE, WORD_WOULD, DE, "wuerde wuerd wuerds"},
    {WORD_GIVE, WORD_WOULD, EN, "id"},
    {WORD_SMALL, WORD_WOULD, EN, "would"},
    {WORD_SMALL, WORD_WOULD, DE, "eigentlich"},
    {WORD_GIVE, WORD_ORDER, DE, "sag drueck"},
    {WORD_GIVE, WORD_ORDER, EN, "say"},
    {WORD_GIVE, 0, EN, "vote give giving rate rating choose pick answer score gets get getting saying earns ill"},
    {WORD_HEDGE, 0, DE, "denke denk glaube glaub vielleicht wohl circa ungefaehr etwa finde schaetze schaetz "
                        "wahrscheinlich tendenziell schaetzungsweise gloobe glaeub vermutlich moeglicherweise womoeglich"},
    {WORD_HEDGE, 0, EN, "maybe perhaps possibly probably reckon generally about around guess think roughly dunno"},
    {WORD_HESITATION, 0, ANY, "aeh oeh aehm oehm eh ehm em hm hmm hmmm mh mhm ah oh ach hach tja puh"},
    {WORD_HESITATION, 0, EN, "uh um uhm umm erm"},
    {WORD_SMALL | WORD_FOR, 0, DE, "der den dem auf mit ins einem"},
    {WORD_SMALL | WORD_FOR, 0, EN, "from on with all"},
    {WORD_SMALL | WORD_JOIN, 0, ANY, "und and"},
    {WORD_SMALL, 0, ANY, "nummer number zahl skala scale"},
    {WORD_SMALL, 0, DE, "ja jo joa jawohl dann da so naja nun halt eben einfach mir ich es klar sicher "
                        "definitiv eindeutig natuerlich bitte gerne gern insgesamt unterm strich "
                        "volle vollen hier doch leider nur immerhin passt dafuer moeglichen gesamt ehrlich "
                        "selbstverstaendlich zweifellos sicherlich bestimmt garantiert freilich gefuehlt spontan grob "
                        "gerade reicht punktzahl diesmal meinetwegen zufriedenheit servus alles "
                        "sein wert fair hallo tach moin na nu och boah uff genau gell gelle jap jep jup ei ey oha "
                        "wow ende fertig verdient okidoki einverstanden exakt trotzdem dennoch persoenlich ausnahmsweise logo "
                          "jawoll joo jau jou redlich pff verdammt herrgott scho amoi i freilisch sozusagen irgendwie safe bloss "
                          "fraeulein mei sich nae tatsaechlich schlicht letztlich letztendlich schlussendlich allerdings "
                          "uebrigens durchaus allemal jedenfalls quasi praktisch ungelogen ehrlicherweise fairerweise "
                          "wohlgemerkt anstandslos zaehneknirschend"},
    {WORD_SMALL, 0, EN, "yes satisfaction yeah yep yup well then i it that thats please sure definitely clearly solid strong "
                        "weak low gotta worth clear definite easy decent approximately deserve deserves deserved earned mate "
                        "certainly easily surely unfortunately sadly er honestly obviously alright overall just only gonna hi "
                        "hello hey full be exactly right aye righto jap ta wow sir maam dude bro goodbye fine deal done agreed "
                        "seriously darling love pet hen lass lad hun hon babe sweetie petal pal buddy personally gladly whopping "
                        "proper bare damn bloody frankly truthfully genuinely basically essentially ultimately undoubtedly "
                        "unquestionably comfortably happily grudgingly reluctantly regrettably thankfully luckily anyway anyhow "
                        "resounding emphatic reluctant begrudging grudging nonetheless nevertheless regardless"},
    {WORD_SMALL, WORD_THUS, DE, "also deshalb daher folglich somit demnach deswegen darum"},
    {WORD_SMALL, WORD_THUS, EN, "so"},
    {WORD_SMALL, WORD_COUNTS, DE, "heute jetzt gleich schon sie ihnen ihr mich wir beide ick icke"},
    {WORD_SMALL, WORD_COUNTS, EN, "today you them me there still"},
    {WORD_SMALL, WORD_NAMES, DE, "die das meine dieses diese mein meiner unsere deren de des dat dit"},
    {WORD_SMALL, WORD_NAMES, EN, "my the your this our"},
    {WORD_SMALL, WORD_THING, DE, "service gespraech beratung hilfe telefonat anruf"},
    {WORD_SMALL, WORD_THING, EN, "service call experience conversation help"},
    {WORD_SMALL, WORD_SHAPE, DE, "klare solide dicke starke schwache knappe satte stolze fette runde wohlverdiente verdiente "
                                 "saubere ehrliche faire"},
    {WORD_SMALL | WORD_POLITE, 0, ANY, "danke bitteschoen dankeschoen tschuess tschuessi ciao bye thanks thank dank vielen "
                                       "schoenen wiederhoeren wiedersehen adieu cheers"},
    {WORD_SMALL, 0, ANY, "tom"},
    /* --- another time, another person, or what should be said */
    {0, WORD_ELSEWHERE, DE, "gestern letztes letzte letzten letztens damals frueher sonst normalerweise meistens neulich "
                            "vorgestern er frau mann chef kollege kollegin jeder andere anderen soll sollte haette haetten"},
    {0, WORD_ELSEWHERE, EN, "yesterday last usually normally previously he she they his their husband wife boss everyone "
                            "everybody people others gave given should want"},
    {0, WORD_NUMBERED, DE, "links rechts eingang hinterhof hinterhaus keller erdgeschoss dachgeschoss treppe ecke gleis zug bus "
                           "bahn linie zimmer wagen platz tor seite kapitel stock etage tuer haus hausnummer stockwerk strasse "
                           "ticket karte spur ausgang aufzug euro cent wohne wohnt abholen fahre fahren fahr brot kaffee bier "
                           "pizza spiel spielen verloren lotto sender programm film folge staffel adresse kundennummer zaehler "
                           "stand code pin punktstand kommt komme kommen dabei zusammen oma opa mama papa mutti vati bruder "
                           "schwester tante onkel"},
    {0, WORD_NUMBERED, EN, "upstairs downstairs corner gate bus train flight platform room floor page line door road street "
                           "address table bed ticket lane exit level game goal live lives meet meeting bread coffee tea pizza "
                           "episode season code pin meter reading flat apartment house coming comes mum mom dad grandma grandpa "
                           "brother sister aunt uncle bet"},
    {0, WORD_COUNTED, DE, "schatz liebling zucker tassen rechnungen briefe mails anrufe pakete zweiter dritter vierter fuenfter "
                          "rechne rechnen wuerfle wuerfel wuerfeln muesst muessen willst wollt moechten moechtest viele uhr "
                          "stueck personen leute kinder enkel karten tickets brauche brauch brauchen moechte bestelle bestellen "
                          "kaufe kaufen treffen treffe hole tropfen zaehle zaehl zaehlen tabletten pillen broetchen flaschen "
                          "liter kilo meter grad"},
    {0, WORD_COUNTED, EN, "sugar sugars cups bills letters emails calls parcels third fourth fifth rolling rolled roll must many "
                          "oclock tickets kids children grandkids tablets pills pounds euros dollars cents need order ordered "
                          "buy bought count counting drops coffees beers pizzas litres miles degrees percent pieces copies "
                          "persons boxes bags"},
    {0, WORD_SPAN, DE, "stunde minuten tage tagen wochen monate monaten jahre jahren fragen anlaeufe versuche"},
    {0, WORD_SPAN, EN, "hour hours minutes mins days weeks months years questions attempts tries"},
    {0, WORD_TOPIC, DE, "internet strom rechnung paket vertrag router wlan techniker termin buchung konto passwort bestellung "
                        "lieferung gutschrift erstattung heizung telefon leitung anschluss tarif kuendigung umzug problem "
                        "ueberweisung rezept antrag ausweis reklamation mahnung"},
    {0, WORD_TOPIC, EN, "internet internets wifi power bill parcel contract router engineer appointment appointments booking "
                        "account password delivery refund heating phone tariff cancellation problem problems answers agent "
                        "person robots prescription claim policy form forms payment complaint fault"},
    {0, WORD_REPORT, ANY, "sagt sagte gesagt meint meinte gemeint findet behauptet says said thinks thought told tells claims"},
    {0, WORD_JOKE, ANY, "haha hahaha ha witz witzig ironisch ironie scherz traeumt traeum joke joking kidding dreams sarcastic "
                        "ironically lol osterhase weihnachtsmann santa pope unicorns einhoerner lach lache lachen laugh"},
    /* --- unknown beside a number, but this is how a call went */
    {0, WORD_STORY, DE, "verstehe verstehen versteht verstand beantwortet erklaert erklaeren erreicht gewartet warten "
                        "wartezeit warteschleife wartemusik langsam langsamer lang lange laenger langwierig langatmig kurz "
                        "geduld kompliziert umstaendlich einfacher leicht schwierig verstaendlich unverstaendlich deutlich "
                        "undeutlich ueberrascht aergerlich nervig nervt nervte nerven genervt gestoert stoert frustrierend "
                        "frustriert abgebrochen aufgelegt wiederholen wiederholt beanstandungen beschwerden "
                        "missverstaendnis missverstaendnisse kleinigkeiten ausbaufaehig verbesserungswuerdig solala "
                        "akzeptabel befriedigend ausreichend schwach stark besseres gedauert dauerte dauert dauern lief "
                        "verlief gelaufen mensch menschen gewuenscht erwartet gedacht gehofft muehsam zaeh anstrengend "
                        "bemueht abzug abzuege luft meckern roboter computer maschine automat stimme musik mitte "
                        "mittelfeld skeptisch geloestes zurueckgerufen rueckruf genervte ewig stunden ewigkeit nochmals "
                        "dreimal mehrmals oefter staendig weitergeleitet verbunden gebracht anliegen loesung musste "
                        "mussten konnte konnten wurde wurden gab kam muss musst geht gehakt gezogen zweimal viermal "
                        "fuenfmal klagen stoerung beschwerde gewonnen versucht verbesserung verbesserungen schade "
                        "enttaeuschung verbessern gespart durchgekommen durchgestellt vertroestet "
                        "abgewimmelt rausgeflogen unterbrochen nachgefragt ausreden zugehoert hingehalten abgefertigt "
                        "buchstabieren buchstabiert diktiert diktieren herausgefunden rausgefunden "
                        "auskunft umstellung muehe hinbekommen "
                        "hingekriegt blechern abgehackt monoton hektisch nuschelt genuschelt "
                        "gewoehnungsbeduerftig gewoehnt menschlich "
                        "holprig stockend"},
    {0, WORD_STORY, EN, "helping understand working answered explained explain waited waiting slow slower slowly long "
                        "longer short patience complicated simple difficult hard unclear confusing confused confusion "
                        "surprised annoying annoyed annoys frustrating frustrated repeat repeated repeating hiccups issues "
                        "complaints complain improve improved improvement expected expect prefer human robot machine voice "
                        "music hold tedious clunky robotic took got spot needed tried accurate acceptable mixed middle "
                        "middling centre center generous reasonable laggy glitchy weird sceptical skeptical attitude queue "
                        "hung dropped disconnected transferred callback kindly decently has had did havent hadnt couldnt "
                        "wouldve went goes twice thrice improvements booked saved hated disappointment shame "
                        "interrupted interrupting listened listen misheard automated bounced ignored spelled spelling "
                        "apologised apologized accent mumbled stilted glitch crashed sluggish hassle faff runaround "
                        "circles computer bot monotone choppy rushed rambled tiring exhausting fiddly bit"},
    {0, WORD_STORY, ANY, "neutral"},
    {0, WORD_LIKED, DE, "schnell schneller schnelle schnelles fix flott zuegig freundlich freundliche freundlicher "
                        "freundliches freundlichkeit nett nette netter nettes geduldig kompetent kompetente kompetenz "
                        "hoeflich beeindruckt problemlos reibungslos unkompliziert tadellos einwandfrei vorbildlich "
                        "angenehme angenehmes sauber geil mega perfekte perfekter perfektes tolle toller tolles guten "
                        "hilfsbereit sympathisch lob respekt gelungen bestnote gefallen kinderleicht informativ hilfreiche "
                        "hilfreicher gruendlich weitergeholfen kundenfreundlich spass freude hoechste geklappt klappt "
                        "klappte geholfen funktioniert funktionierte geloest erledigt verstanden fein feine dufte schick "
                        "leiwand guat knorke liebenswuerdig verstaendnisvoll erfreulich erfreut zufriedenstellend traumhaft "
                        "sensationell fabelhaft bravo astrein picobello zuvorkommend gholfen jeholfen gelobt"},
    {0, WORD_LIKED, EN, "fast faster quick quickly quicker friendly friendlier kind polite patient competent impressed "
                        "impressive smooth smoothly flawless pleasant fab lovely efficient professional professionally "
                        "effortless painless useful informative thorough clever smart smashing breeze prompt promptly "
                        "courteous cool ace stellar brill pleasure recommend recommended enjoyed liked loved appreciate "
                        "appreciated joy treat highest worked works work helped helps fixed solved sorted resolved "
                        "understood understands straightforward seamless easier delighted chuffed marvellous marvelous "
                        "magnificent terrific splendid faultless brilliantly beautifully perfectly"},
    {0, WORD_LIKED, ANY, "maximum"},
    {0, WORD_HATED, DE, "nichts nix laecherlich frechheit sauer wuetend veraergert geaergert unverschaemt nutzlos ueberfluessig "
                        "albtraum inkompetent unfreundlich unfreundliche unhoeflich mist sauerei saftladen bloed doof daneben "
                        "lieblos chaotisch niedrigste schlechteste unterste umsonst vergeblich stinksauer schrott schmarrn "
                        "nischt zumutung blamabel armselig erbaermlich unverschaemtheit grottenschlecht hoelle ungenuegend "
                        "ueberfordert unmoeglich"},
    {0, WORD_HATED, EN, "nothing ridiculous useless pointless furious angry rude incompetent nightmare lousy stupid dumb "
                        "rubbish crap wasted pathetic shocking lowest worst bottom horrendous appalling atrocious hopeless "
                        "upset garbage abysmal diabolical shambles"},
    /* --- at the beginning of a clause, a question */
    {0, WORD_ASKING, DE, "was wie wer wem wen wo wann warum wieso weshalb welche welcher welches"},
    {0, WORD_ASKING, EN, "what who why which how whose whether"},
    /* --- corrections and negations */
    {WORD_NO, 0, DE, "nein nee noe quatsch moment stopp andersrum andersherum falsch verzeihung entschuldigung sorry korrektur "
                     "pardon egal"},
    {WORD_NO | WORD_NOT, 0, DE, "vergessen vergiss"},
    {WORD_NO, 0, EN, "no nope sorry wait scratch correction oops pardon nevermind whatever nah"},
    {WORD_NO | WORD_NOT, 0, EN, "forget"},
    {WORD_RATHER, 0, DE, "sondern eher lieber beziehungsweise respektive vielmehr"},
    {WORD_RATHER, 0, EN, "rather actually mean instead"},
    {WORD_NOT, 0, DE, "nicht kein keine keinen keiner keinem keines nie niemals niemand kaum net nich ned noed nit"},
    {WORD_NOT, 0, EN, "not isnt wasnt arent never dont didnt wouldnt cant wont cannot nobody hardly barely"},
    {WORD_IS, 0, EN, "its"},
    {WORD_IS, 0, DE, "isch"},
    {WORD_IS, 0, ANY, "ist is heisst bedeutet means being"},
    {WORD_IS, WORD_UNREAL, ANY, "waere waer waers hiesse"},
    {WORD_IF, 0, ANY, "wobei wenn falls sobald where if when whereas"},
    {WORD_BECAUSE, 0, DE, "weil denn nachdem obwohl damit"},
    {WORD_BECAUSE, 0, EN, "because cause cuz since although though"},
    {WORD_BUT, 0, ANY, "aber but jedoch however"},
    /* --- praise and blame */
    {WORD_VERY, 0, EN, "really"},
    {WORD_VERY, 0, ANY, "sehr voll absolute total richtig absolut aeusserst ueberaus besonders very extremely absolutely totally "
                        "completely hoechst"},
    {WORD_MILD | WORD_SMALL, WORD_COUNTS, DE, "war wars bin"},
    {WORD_MILD | WORD_SMALL, WORD_COUNTS, DE, "wor woar gsi gwen fands"},
    {WORD_MILD | WORD_SMALL, 0, DE, "ganz wirklich ziemlich recht fand relativ soweit"},
    {WORD_MILD | WORD_SMALL, WORD_COUNTS, EN, "was im am"},
    {WORD_MILD | WORD_SMALL, 0, EN, "pretty quite fairly found"},
    {WORD_PRAISE, 5, DE, "hervorragend ausgezeichnet exzellent fantastisch phantastisch grossartig super spitze klasse toll "
                         "wunderbar bestens genial begeistert beste bestes besten"},
    {WORD_PRAISE, 5, ANY, "perfekt perfect top"},
    {WORD_PRAISE, 5, EN, "excellent fantastic awesome amazing outstanding great wonderful brilliant superb"},
    {WORD_PRAISE, 4, DE, "gut gute gutes guter jut guet guad zufrieden prima ordentlich angenehm hilfreich"},
    {WORD_PRAISE, 4, EN, "good happy satisfied pleased nice helpful"},
    {WORD_PRAISE | WORD_SMALL, 3, ANY, "okay ok okey oke"}, /* mostly a reply, see WORD_MILD */
    {WORD_PRAISE, 3, DE, "mittel mittelmaessig durchschnittlich durchwachsen passabel durchschnitt"},
    {WORD_PRAISE, 3, EN, "average mediocre meh"},
    {WORD_PRAISE, 2, DE, "schlecht schlechte schlechtes unzufrieden enttaeuscht enttaeuschend mies mangelhaft maessig"},
    {WORD_PRAISE, 2, EN, "bad poor unhappy dissatisfied unsatisfied disappointed disappointing unhelpful"},
    {WORD_PRAISE, 1, DE, "katastrophe katastrophal furchtbar schrecklich grauenhaft unterirdisch miserabel beschissen scheisse"},
    {WORD_PRAISE, 1, EN, "terrible awful horrible dreadful catastrophic disaster disastrous"},
    /* --- what recognisers invent */
    {WORD_PHANTOM, 0, ANY, "untertitel untertitelung untertitelt untertiteln subtitles subtitle subtitled captions caption amara "
                           "copyright subscribe subscribed abonnieren abonniert zdf wdr swr ndr mdr rbb br ard orf funk "
                           "zuschauen zusehen watching viewers channel kanal video videos transcription transcribed "
                           "transkription livestream"},
};

/* Longer ones first where one begins like another. */
static const struct group phrases[] = {
    {0, 0, ANY, "1 is fine|1 is okay|1 is ok|1 is enough|1 is fair|1 works|1 reicht|1 reichts|1 ist okay|1 ist ok|1 ist fair|"
                "1 passt"},
    {WORD_NUMBER, 2, EN, "2s fair|2s my answer|2s fine"},
    {WORD_NUMBER, 2, EN, "twos fairer|twos fair|twos my answer|twos fine"},
    {WORD_NUMBER, 3, EN, "threes fairer|threes fair|threes my answer|threes fine"},
    {WORD_NUMBER, 4, EN, "fours fairer|fours fair|fours my answer|fours fine"},
    {WORD_NUMBER, 5, EN, "fives fairer|fives fair|fives my answer|fives fine"},
    {WORD_NUMBER, 5, DE, "5 mit sternchen|5 mit auszeichnung|5 sternchen|5 mit kusshand|5 mit ausrufezeichen|5 herzchen|"
                         "5 sterne deluxe"},
    {WORD_NUMBER, 5, EN, "5 with a cherry on top|5 with bells on|5 all day long|5 all day|5 all the way|5 with pleasure|"
                         "5 from the bottom of my heart|5 without hesitation"},
    {0, WORD_REPORT, ANY, "you really think|you think|do you think|you believe|denken sie|glauben sie|denkst du|glaubst du|"
                          "meinen sie|meinst du"},
    {0, WORD_ELSEWHERE, EN, "go on then|its me|top 5|top 3"},
    {0, WORD_ELSEWHERE, DE, "bis gleich|bis spaeter|bis nachher"},
    {WORD_SMALL, 0, EN, "is ok|is okay|and thats being generous|and thats generous|thats being generous|is fine|is fair enough|"
                        "is fair|is about right|is right|is my answer|seems right|seems about right|works for me"},
    {WORD_SMALL, 0, DE, "is ok|is okay|geht klar|geht in ordnung|trifft es besser|passt besser|ist schon okay|ist okay|ist ok|"
                        "ist fair|ist angemessen|ist in ordnung|passt scho|passt schon|trifft es|triffts|ist drin"},
    {WORD_HEDGE, 0, DE, "keine ahnung|weiss ich nicht|weiss auch nicht|ich weiss nicht|weiss nicht|bin mir nicht sicher|"
                        "ich fuerchte|schwer zu sagen"},
    {WORD_HEDGE, 0, EN, "i dont really know|i dont know|i really dont know|im not sure|not sure|hard to say"},
    {WORD_HESITATION, 0, DE, "ach so|wie bitte|was soll ich sagen|was soll ich da sagen|wie soll ich sagen|was sag ich denn|"
                             "lassen sie mich nachdenken|lass mich nachdenken|lassen sie mich kurz nachdenken|was denn|mein gott|"
                             "meine guete|du liebe zeit|um gottes willen"},
    {WORD_HESITATION, 0, EN, "um like|uh like|er like|yeah like|what shall i say|what can i say|let me have a think|tough 1|"
                             "thats an easy 1|an easy 1|why not|goodness me|my goodness|oh dear|you know what"},
    {WORD_NO, 0, EN, "other way round|other way around|wrong way round|wrong way around"},
    {WORD_NO, 0, DE, "warten sie"},
    {WORD_SMALL, 0, DE, "muss ich leider|ich muss leider|da muss ich|muss ich da|haben sies jetzt|kann ich jetzt auflegen|"
                        "kann ich auflegen|war es das|wars das|sonst noch was|ohne weiteres|ohne zu zoegern|ohne wenn und aber|"
                        "ohne nachzudenken|aus vollem herzen|von ganzem herzen|von herzen|aus ueberzeugung|mit bestem gewissen|"
                        "mit gutem gewissen|mit freude|mit ach und krach|gerade so|schweren herzens|leider gottes|zum glueck|"
                        "gott sei dank|meiner meinung nach|nach meiner meinung|aus meiner sicht|fuer mein empfinden|"
                        "meines erachtens|fuer heute|fuer diesen anruf|fuer das gespraech|fuer den anruf|fuer die beratung|"
                        "fuer den service|fuer die hilfe|fuer ihre hilfe|fuer deine hilfe|unter uns gesagt|mit verlaub|"
                        "mit vergnuegen|ganz ehrlich|mal ehrlich|junge frau|junger mann|gnaedige frau|meine liebe|mein lieber|"
                        "meine dame|mein herr|mein maedchen|guten tag|guten abend|guten morgen|gruezi|merci vielmal|bei mir|"
                        "von uns|meinerseits|von meiner seite|im grunde|gerade noch|und zwar|kurz und knapp|kurz und schmerzlos|"
                        "kurz und gut|mit einem wort|in einem wort|ohne flachs|spass beiseite|im ernst|ganz im ernst|"
                        "fuer einen roboter|fuer nen roboter|fuer eine maschine|fuer ne maschine|fuer einen computer|"
                        "fuer nen computer|fuer einen automaten|wenn sie mich so fragen|wenn sie schon fragen|wenn sie so fragen|"
                        "wenn du mich fragst|wenn ihnen das was bringt|die goldene mitte|goldene mitte|haben sie sich verdient|"
                        "haben sie verdient|hat er verdient|hat sie verdient|hast du verdient|hast du dir verdient|"
                        "habt ihr verdient|habt ihr euch verdient|hat sich verdient|kann man geben|unter aller kanone|"
                        "unter aller sau|wat sonst|was sonst|hut ab|danke danke|mehr ned|mehr nicht|an die kollegen|an alle|"
                        "an das team|ans team"},
    {WORD_SMALL | WORD_POLITE, 0, DE, "schoene gruesse|tausend dank|herzlichen dank|besten dank|recht herzlichen dank|merci"},
    {WORD_SMALL | WORD_POLITE, 0, EN, "have a lovely day|have a lovely evening|have a lovely weekend|have a great evening|"
                                      "have a good evening|have a good weekend|have a nice weekend|thanks a lot|thanks a million|"
                                      "thanks a bunch|god bless"},
    {WORD_SMALL, 0, EN, "can i go now|can i go|can i hang up now|is that it|is that all|is that everything|all the way|"
                        "all day long|in a word|short answer|at a push|to be perfectly honest with you|to be perfectly honest|"
                        "to be honest with you|to be fair|in all honesty|all things considered|all in all|big fat|"
                        "if you must know|for a machine|for a robot|for a computer|for a bot|for me is|from me|in my book|"
                        "in my view|from my side|from my end|on my end|as far as im concerned|for this call|for the call|"
                        "for your help|for your service|for the service|for the help|as a rating|as my rating|in the end|"
                        "all the same|none the less|even so|that said|having said that|without hesitation|with pleasure|"
                        "on balance|as always|same as always|or thereabouts|this 1 gets|no ifs or buts|a waste of my time|"
                        "waste of my time|a waste of time|waste of time|what a waste of time|complete waste of time|keep it up|"
                        "my lovely|sweetheart|young lady|young man|my dear"},
    {WORD_GIVE, WORD_WOULD, DE, "haett ich gesagt|haette ich gesagt|haett ich jetzt gesagt|haette ich jetzt gesagt|wuerd i geben|"
                                "wuerd i"},
    {WORD_GIVE, WORD_MINE, DE, "du kriegst|kriegst du|ihr kriegt"},
    {WORD_GIVE, 0, DE, "bewertung lautet|antwort lautet|urteil lautet|meine stimme|mein urteil|mein fazit|fazit|urteil|wertung|"
                       "tragen sie ein|notieren sie|vermerken sie|votiere fuer|plaediere fuer|koennen sie haben|koennt ihr haben|"
                       "koennen sie notieren|sie koennen|wuerde ich mit|wuerd ich mit|ich wuerde mit|tendier zur|tendier zu|"
                       "tendiere zu|tendiere zur|bewerte mit|bewerte das mit|bewerte es mit|bewerten tu ich das mit|bewerten mit|"
                       "bin bei|lande bei|landen bei|einige mich auf|bleib bei|bleib ich bei|bleibt es bei|bleibts bei|"
                       "bleibe ich bei|einigen wir uns auf|muss ich geben|muss ich sagen|muss sagen|kann ich nur|kann nur|"
                       "kann man nur|da kann man|gebn|hab ich gsagt"},
    {WORD_ARTICLE | WORD_HEDGE, 0, EN, "something like a|somewhere around a|something around a"},
    {WORD_HEDGE, 0, EN, "something around|somewhere around"},
    {WORD_GIVE, 0, EN, "id put it at|put it at|my answers|my ratings|my scores|thatll be|itll be|gotta say|got to say|"
                       "gotta go with|gotta give|youre getting|id go with|let me go with|im happy with|im happy to go with|"
                       "you get|youve earned|you earned|you can have|gets my|mark me down as|mark me down for|mark me down|"
                       "put me down as|my vote|my score is|my rating is|my vote is|the answer is|im thinking|im voting|"
                       "want to give|going to go for|going to go with|going to have to go for|going to have to go with|"
                       "going to go|going to have to say|going to have to give|gonna have to say|gonna have to go with|"
                       "gonna go for|gonna go with|gonna go|have to go with|have to go for|have to give|settle for|call it|"
                       "its gotta be|its got to be|it has to be|would have to be|would go with|would go for|would go|"
                       "leaning towards|happy to give|happy to say|lets call it|ill go with|ill go for|ill go|ill give|must say|"
                       "must give"},
    {WORD_BOUND, 0, EN, "at most|at best"},
    {WORD_IS, WORD_UNREAL, EN, "was going to say|was gonna say|was going to give|was gonna give|was about to say|"
                               "was about to give|"
                               "wanted to say|wanted to give|wouldve given|would have given"},
    {0, WORD_REPORT, EN, "would a|would an|be okay for you|be ok for you|good enough for you"},
    {0, WORD_REPORT, DE, "reicht ihnen|genuegt ihnen|passt ihnen|reicht dir|reicht euch"},
    {0, WORD_JOKE, EN, "as if|yeah right|and im the|and pigs|in your dreams|dream on|pull the other 1|my foot"},
    {0, WORD_JOKE, EN, "exactly what i wanted|just what i wanted|just what i needed"},
    {0, WORD_JOKE, DE, "weil ich ja so gern|weil ich ja so gerne|genau was ich wollte|genau was ich brauchte"},
    {0, WORD_JOKE, DE, "wers glaubt|wer das glaubt|traeum weiter|und ich bin der|und ich bin die|und ich bin kaiser"},
    {0, 0, DE, "sage nur 1|1 sage ich"},
    {WORD_GIVE, 0, EN, "id go for|id go|let me say|answer would be|lets go with|lets make it|have to say"},
    {WORD_ECHO, 0, ANY, "von 1 bis 5|1 bis 5|zwischen 1 und 5|from 1 to 5|1 to 5|between 1 and 5|1 through 5|1 - 5|"
                        "1 bis maximal 5|1 und 5|1 and 5"},
    {WORD_SMALL, 0, DE, "von mir aus|von mir"},
    {WORD_OF_FIVE, 0, ANY, "out of the 5|out of 5|of the 5|of 5|von den 5|von 5|aus 5"},
    {0, 0, ANY, "ihnen 1|dir 1|1 sag ich|nicht unzufrieden|not unhappy|not dissatisfied|mir ist|my bad|ist mir 1|alles 1|"
                "es geht mir|mir geht|geht es mir|give me|give us|gib mir|1 and done|and out|1 on 1|1 by 1|the wait|a wait|"
                "to wait|long wait|wait time"},
    {WORD_NUMBER | WORD_ARTICLE, 1, DE, "ein stern|einen stern|ein punkt|einen punkt"},
    {WORD_NUMBER | WORD_ARTICLE, 1, EN, "a star"},
    {0, 0, EN, "no one|the one|that one|this one|which one|the 1|that 1|this 1|which 1|no 1|to 1|number 1"},
    {0, 0, DE, "nummer 1"},
    {WORD_HALF, 0, EN, "and a half|and half|1 of 2"},
    {WORD_HESITATION, 0, EN, "1 moment|1 second|1 sec|1 minute|let me see|let me think|you know|i mean it"},
    {WORD_GRADE, 0, ANY, "1 a|1 mit stern"},
    {WORD_RATHER, 0, EN, "i mean|make that|make it|lets do|more like|or rather|change that to|change to|lets say"},
    {WORD_GIVE, 0, DE, "geben wir|nehmen wir|ich bin fuer|entscheide mich fuer|bleibe bei|bleiben wir bei|ich sagte"},
    {WORD_RATHER, 0, DE, "sagen wir mal|sagen wir|ach was|ach wo|ich meine|besser gesagt|will sagen|oder besser"},
    {WORD_HESITATION, 0, DE, "lassen sie mich ueberlegen|lassen sie mich mal ueberlegen|mal ueberlegen|lass mich ueberlegen|"
                             "mal sehen"},
    {WORD_HESITATION, 0, EN, "lets see|let us see"},
    {WORD_SMALL, 0, ANY, "wenn ich ehrlich bin|um ehrlich zu sein|if im honest|to be honest|danke der nachfrage"},
    {WORD_GIVE, 0, ANY, "hab ich doch gesagt|habe ich doch gesagt|habe ich gesagt|ich hab gesagt|ich habe gesagt|"
                        "ich hab doch gesagt|ich habe doch gesagt|hab ich doch schon gesagt|habe ich doch schon gesagt|"
                        "i already said|i did say"},
    {WORD_SMALL | WORD_POLITE, 0, DE, "danke schoen|schoenes wochenende|schoenen abend noch|schoenen abend|schoenen feierabend|"
                                      "bleiben sie gesund|alles gute|liebe gruesse|viele gruesse|schoenen gruss|gute nacht|"
                                      "schoene feiertage|bis bald"},
    {WORD_SMALL | WORD_POLITE, 0, EN, "very much|so much|good bye|have a great day|have a good one|have a good 1|all the best|"
                                      "kind regards|good night|see you|many thanks"},
    {WORD_VERY, 0, DE, "hundert prozent|100 prozent"},
    {0, WORD_LIKED, EN, "youre a star|you are a star"},
    {0, WORD_STORY, EN, "what a|than i thought|than i expected|than expected|as i thought|i thought|didnt expect|didnt think|"
                        "never thought|wouldnt have thought|expecting the worst|expected the worst|feared the worst|"
                        "room for improvement|middle of the road|could have been better|couldve been better|could be better|"
                        "could be worse|could have been worse|could have been quicker|could have been faster|"
                        "nothing to complain about|cant complain|cannot complain|no complaints from me|neither here nor there|"
                        "apart from the wait"},
    {0, WORD_STORY, DE, "kann man so machen|kann man so lassen|kann man machen|kann man lassen|als ich dachte|als gedacht|"
                        "als erwartet|als ich gedacht|haett nicht gedacht|haette nicht gedacht|haett ich nicht gedacht|"
                        "haette ich nicht gedacht|nicht gedacht|nicht erwartet|nie gedacht|falsch verstanden|"
                        "haette besser sein koennen|haett besser sein koennen|haette schneller gehen koennen|"
                        "haett schneller gehen koennen|haette schneller sein koennen|nichts zu meckern|nix zu meckern|"
                        "nichts zu beanstanden|nichts auszusetzen|kann mich nicht beschweren|kann nicht klagen|"
                        "kann nicht meckern|da gibts nix|weder fisch noch fleisch|hin und her|luft nach oben|"
                        "noch luft nach oben"},
    {0, WORD_STORY, ANY, "tut mir leid|weder noch|too many questions|so many questions|zu viele fragen"},
    {0, WORD_HATED, ANY, "gar nichts|never again|nie wieder|nie mehr"},
    {0, WORD_LIKED, ANY, "well done|full marks|spot on|first class"},
    {WORD_SMALL, 0, DE, "wenn sie mich fragen|nicht nur|wie gesagt|ehrlich gesagt|mit abstand|hab ich gesagt|alles in allem|"
                        "aus dem bauch heraus|in etwa|so um die|wie immer|wegen mir|mit abstrichen|gruess gott|"
                        "wegen der wartezeit|mit viel gutem willen|wenn es sein muss|wenns sein muss|im grossen und ganzen|"
                        "na die|na ja|na also|na dann|grund und boden|kann man sagen|auf jeden fall|auf alle faelle|"
                        "ohne frage|keine frage|ohne zweifel|unter dem strich"},
    {WORD_SMALL, WORD_OHO, DE, "na klar|ja klar|klar doch"},
    {WORD_SMALL, 0, EN, "that would be"},
    {0, 0, EN, "id like|i would like|would like|need to"},
    {WORD_ARTICLE | WORD_HEDGE, 0, EN, "like a"},
    {WORD_IS, WORD_UNREAL, EN, "would be|would have been"},
    {WORD_GIVE, 0, EN, "well say|i said|put me down for|put down|put|mark it as|stick with|sticking with|lean towards|go with|"
                       "going with|going to say|gonna say"},
    {WORD_NO, 0, EN, "never mind|hold on|hang on"},
    {WORD_NO, 0, DE, "ich korrigiere"},
    {WORD_NOT, 0, ANY, "not a chance|no chance|keine chance"},
    {WORD_NOT, 0, EN, "no way|anything but|nothing but|was no|is no|its no"},
    {WORD_SMALL, 0, ANY, "is my rating|is my answer|is my score|ist meine bewertung|ist meine antwort|that is|das ist"},
    {WORD_SMALL, 0, EN, "no more|no issues|no complaints|no worries|because of the wait|something like|has to be|got to be|"
                        "gotta be|will do|sounds about right|seems fair|sounds fair|if i have to|if i must|this time|"
                        "in my opinion|if you ask me|without a doubt|im afraid|not only|like i said|hands down|no doubt|"
                        "no question|of course|so far"},
    {WORD_SMALL | WORD_POLITE, 0, DE, "auf wiederhoeren|auf wiedersehen|bis zum naechsten 1|bis dann|schoenen tag noch|"
                                      "schoenen tag|machen sies gut|machs gut"},
    {WORD_SMALL | WORD_POLITE, 0, DE, "bis zum naechsten mal"},
    {WORD_SMALL | WORD_POLITE, 0, EN, "bye bye|have a nice day|have a good day|take care"},
    {WORD_SMALL, WORD_THUS, DE, "ja gut|na gut|nun gut|na schoen|na fein|ach komm|ach kommen sie"},
    {WORD_SMALL, WORD_THUS, EN, "oh well|fair enough"},
    {WORD_SMALL, 0, DE, "schon gut|alles gut|gut dann|kein problem|keine probleme"},
    {0, WORD_OHO, DE, "na super|na toll|na klasse|na prima|na bravo|na wunderbar|na ganz toll"},
    {0, WORD_OHO, EN, "oh brilliant|oh lovely|oh wonderful|oh fantastic|oh perfect|oh excellent|oh super"},
    {WORD_SMALL, 0, EN, "all good|im good|no problem|no problems"},
    {0, WORD_OHO, EN, "great just great|oh great|just great|yeah great"},
    {WORD_PRAISE, 3, ANY, "not great not terrible|es geht so|geht so|so lala|so la la|so so|in ordnung|es ging|teils teils|"
                          "ging so|es geht"},
    {WORD_PRAISE, 5, DE, "alles bestens|alles super|alles perfekt|alles prima|alles top"},
    {WORD_PRAISE, 2, ANY, "not great|not super|nicht super|nicht toll"},
    {WORD_PRAISE, 4, ANY, "gar nicht uebel|nicht uebel"},
    {WORD_NOT, 0, DE, "nie im leben|im leben nicht|auf keinen fall|von wegen"},
    {WORD_NOT, 0, ANY, "not even|nicht mal|nicht einmal|gar nicht|ueberhaupt nicht|absolut nicht|nicht so|nicht besonders|"
                       "nicht wirklich|nicht sehr|not really|not very|not so|not too|not that|not all that|nicht gerade|"
                       "nicht allzu"},
    {0, 0, EN, "too bad"},
    {WORD_SMALL, 0, ANY, "at all"},
    {WORD_SMALL, WORD_WOULD, EN, "i would"},
    {WORD_HEDGE, 0, ANY, "wenn ueberhaupt|if anything|if at all|if that|i guess|i think|i suppose|i believe"},
};

static size_t word_length(const char *s, char end)
{
    size_t n = 0;

    while (s[n] && s[n] != end)
        n++;
    return n;
}

static bool listed(const char *list, const char *word)
{
    size_t length = strlen(word), n;

    for (; *list; list += n + (list[n] != '\0')) {
        n = word_length(list, ' ');
        if (n == length && memcmp(list, word, n) == 0)
            return true;
    }
    return false;
}

static bool ends_with(const char *word, const char *end)
{
    size_t n = strlen(word), m = strlen(end);

    return n > m && memcmp(word + n - m, end, m) == 0;
}

/* Numbers that no list holds: 4.5, 17, fuffzehn, einundzwanzig, dreissig, seventeen. */
static unsigned number_kind(const char *word)
{
    static const char *const ends[] = {"zehn", "zig", "dreissig", "hundert", "tausend", "teen"};
    bool point = false;

    for (const char *c = word; *c; c++) {
        point |= *c == '.';
        if (!(*c >= '0' && *c <= '9') && *c != '.')
            break;
        if (!c[1])
            return point ? WORD_HALF : WORD_BEYOND;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(word, ends[i]) || strcmp(word, ends[i]) == 0)
            return WORD_BEYOND;
    return 0;
}

void word_know(struct word *word, enum rating_language language)
{
    static const char *const digits[] = {"0", "1", "2", "3", "4", "5"};

    word->kind = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((words[i].languages & (int)language) && listed(words[i].words, word->text)) {
            word->kind |= words[i].kind;
            word->value = words[i].value ? words[i].value : word->value;
        }
    if (word->kind & WORD_NUMBER)
        word->text = digits[word->value];
    else if (!word->kind && !word->value)
        word->kind = number_kind(word->text);
}

/* How many words from `at` on a phrase takes; 0: it is not there.  A clause's beginning parts phrases. */
static size_t phrase_at(const struct utterance *u, size_t at, const char *phrase, size_t length)
{
    size_t count = 0, i = 0;

    while (i < length) {
        size_t n = word_length(phrase + i, ' ');
        n = n < length - i ? n : length - i;
        if (at + count == u->count || (count && u->words[at + count].begins))
            return 0;
        const char *text = u->words[at + count].text;
        if (strlen(text) != n || memcmp(text, phrase + i, n) != 0)
            return 0;
        count++;
        i += n + 1;
    }
    return count;
}

static void replace(struct utterance *u, size_t at, size_t count, const struct group *by)
{
    static const char *const digits[] = {"0", "1", "2", "3", "4", "5"};

    u->words[at].text = by->kind & WORD_NUMBER ? digits[by->value] : ""; /* else no part of another phrase */
    u->words[at].kind = by->kind;
    u->words[at].value = by->value;
    memmove(&u->words[at + 1], &u->words[at + count], (u->count - at - count) * sizeof *u->words);
    u->count -= count - 1;
}

static void replace_all(struct utterance *u, const struct group *g, const char *phrase, size_t length)
{
    for (size_t at = 0; at < u->count; at++) {
        size_t count = phrase_at(u, at, phrase, length);
        if (count)
            replace(u, at, count, g);
    }
}

void utterance_know_phrases(struct utterance *u, enum rating_language language)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        const char *p = phrases[i].words;
        for (size_t n; (phrases[i].languages & (int)language) && *p; p += n + (p[n] != '\0')) {
            n = word_length(p, '|');
            replace_all(u, &phrases[i], p, n);
        }
    }
}
