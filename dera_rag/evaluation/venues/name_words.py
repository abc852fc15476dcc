"""Words that venues' and landmarks' names are put together from."""

from __future__ import annotations


def _words(block: str) -> tuple[str, ...]:
    return tuple(block.split())


ADJECTIVES = _words("""
Amber Ashen Blind Bold Brass Brave Bright Broken Candlelit Clever Copper Coral Crimson Crooked
Curious Dapper Dancing Dusty Emerald Faithful Fallen Floating Forgotten Gentle Gilded Grand
Hidden Hollow Honest Humble Idle Indigo Iron Ivory Jolly Laughing Lazy Little Lonely Lost Marble
Merry Midnight Mossy Noble Old Painted Patient Pewter Polished Proud Quiet Restless Rusty
Saffron Salted Scarlet Secret Silent Silver Singing Sleepy Smiling Speckled Spotted Stony
Striped Tidy Timber Twisted Velvet Wandering Weathered Whistling White Wicked Wild Wooden
""")
NOUNS = _words("""
Acorn Almond Anchor Antler Anvil Badger Barrel Basket Beacon Bell Bellows Birch Blackbird Boar
Bramble Buckle Button Candle Cartwheel Chestnut Clover Cobbler Compass Cormorant Crane Crown
Curlew Cypress Drake Drum Falcon Feather Fern Fiddle Finch Fox Gander Garland Goat Goose Griffin
Hammer Hare Harp Hawthorn Hazel Heron Hive Hornbeam Horseshoe Ibex Ivy Jackdaw Juniper Kestrel
Kettle Ladle Lantern Larch Lark Laurel Lemon Linnet Lynx Magpie Mallard Maple Marten Mitten
Mulberry Nettle Oak Orchard Otter Oyster Parsley Peacock Pepper Petal Pheasant Pigeon Plum Quill
Quince Ram Raven Robin Rook Rosemary Rowan Sage Saddle Salmon Sparrow Spindle Spoon Stag
Starling Stork Swallow Tanner Teapot Thimble Thistle Thyme Trumpet Turnip Walnut Weaver Whisk
Willow Wren Yarrow
""")
FIRST = _words("""
Adela Agnès Alba Amalia Anselm Astrid Beatriz Benno Bettina Bruno Carmela Cécile Clara Cosima
Delphine Dora Edda Elio Elsa Émile Enzo Fabian Félix Flora Greta Gustav Hanne Héloïse Hugo Ida
Ilse Imelda Inès Ingrid Ivo Jonas Josefa Karin Leonie Lidia Lucía Ludo Maëlle Magda Marcel Mila
Nadia Nico Odile Olga Otto Paloma Petra Pilar Quentin Rafaela Renata Rosa Sabine Sébastien
Sigrid Silvio Sofía Tilda Tomás Ursula Vera Viola Wanda Yvette Zelda Zoë
""")
SURNAMES = _words("""
Abernathy Alvarez Ashdown Barlow Bassani Beckett Bellamy Birtwhistle Blackwood Bramwell Caldwell
Cardoso Carrow Castellan Chadwick Corbett Crabtree Dalgleish Delacroix Delgado Dimmock Drummond
Eastwood Ellery Fairweather Farrow Fenwick Ferrante Fontaine Gallow Garrick Goodfellow Grimshaw
Hadley Halloran Hathaway Holloway Ibbotson Jessop Kaminski Kendrick Lambert Langtry Lindqvist
Lockwood Marchetti Marlowe Merriweather Montague Moreau Nightingale Norcliffe Novak O'Dowd
O'Malley Okonjo Oldroyd Palmer Pemberton Penrose Petrov Pickering Quimby Ravenscroft Redfern
Rossetti Rutherford Salazar Santoro Selwyn Stubbs Sørensen Tattersall Thackeray Tindall
Trelawney Underhill Vasquez Venn Villeneuve Wadsworth Weatherby Whitlock Winterbourne Wycliffe
Yardley Zanetti
""")
HEADS = _words("""
Ald Bel Bran Bur Cal Cor Dal Dun Els Esk Fal Far Gar Hal Har Hol Kel Kirk Lang Lin Mar Mel Mor
Nor Or Os Pen Quen Ren Ros Sel Stan Sten Tam Thorn Tor Ul Val Ver Wal Wex Win Yar Zel
""")
TAILS = _words("""
bourne brook bury by combe cote dale den fell field ford gate grave ham hurst leigh ley march
mere mond more ner ridge rick shaw stead stone thorpe ton vale wade well wick worth
""")
HOUSES = _words("""
Arms House Rooms Table Yard Cellar Larder Pantry Parlour Hearth Court Lodge Loft Corner
""")
ABROAD = _words("""
Atelier Bodega Brasserie Cantina Casa Chez Haus Maison Osteria Salon Trattoria Villa
""")
PARTNERS = _words("""
Daughter Daughters Sons Sisters Brothers Co Friends
""")
MIDDLES = ("", "", "", "", "a", "e", "en", "er", "ing")
LANDMARKS = _words("""
Abbey Arcade Aquarium Arches Bakery Baths Books Bridge Cinema Cottage Exchange Fountain Gallery
Gardens Gate Green Hall Infirmary Library Lock Market Mews Mill Museum Observatory Park
Playhouse Priory School Square Stables Station Steps Theatre Tower Viaduct Works
""")

TELLING = (
    "Café {owner}",
    "{owner} Riverside",
    "{owner} Family Kitchen",
    "The {noun} Pub",
    "{owner} Curry House",
    "The {noun} Coffee House",
    "{owner} Noodles",
    "The Cheap {noun}",
)
"""Names with a word that also words an attribute, as a few real ones have."""

LOOKALIKES = dict(
    pair.split("/")
    for pair in _words("""
Barrel/Barrow Bell/Belle Button/Mutton Candle/Cradle Copper/Cooper Crane/Crown Feather/Father
Fern/Tern Fiddle/Riddle Hare/Hart Heron/Herring Ivy/Ivory Kettle/Nettle Lark/Larch Larch/Lark
Maple/Marble Marten/Martin Merry/Mary Old/Odd Otter/Cotter Petal/Pedal Plum/Plume Proud/Prout
Quill/Quail Ram/Rum Raven/Haven Rook/Rock Rusty/Dusty Silver/Sliver Stag/Stage Stork/Stock
Swallow/Sallow Thimble/Thistle Tidy/Tiny Weaver/Beaver White/Whyte Wild/Wile Willow/Wallow
""")
)
"""Word → another word that is easily read for it."""

E2E_NAMES = tuple(
    name.strip()
    for name in """
Alimentum, All Bar One, Aromi, Avalon, Bibimbap House, Blue Spice, Browns Cambridge, Burger
King, Café Adriatic, Café Brazil, Café Rouge, Café Sicilia, Clare Hall, Clowns, Cocum, Cotto,
Crowne Plaza Hotel, Express by Holiday Inn, Fitzbillies, Giraffe, Green Man, Loch Fyne,
Midsummer House, Rainbow Vegetarian Café, Raja Indian Cuisine, Ranch, Strada, Taste of
Cambridge, The Bakers, The Cambridge Blue, The Cricketers, The Dumpling Tree, The Eagle, The
Golden Curry, The Golden Palace, The Mill, The Olive Grove, The Phoenix, The Plough, The
Portland Arms, The Punter, The Rice Boat, The Six Bells, The Sorrento, The Twenty Two, The
Vaults, The Waterman, The Wrestlers, Travellers Rest Beefeater, Wildwood, Yippee Noodle Bar,
Zizzi
""".replace("\n", " ").split(",")
)
"""Every `name` and `near` of the E2E data, which no invented name may be."""
