/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include "base.h"

const char *const sim_names_female[] = {
    "Mary", "Anna", "Ruth", "Esther", "Naomi", "Lydia", "Grace", "Hannah", "Emma", "Olivia", "Ava",
    "Isabella", "Sophia", "Mia", "Charlotte", "Amelia", "Harper", "Evelyn", "Abigail", "Emily",
    "Elizabeth", "Sofia", "Avery", "Ella", "Scarlett", "Victoria", "Madison", "Luna", "Chloe",
    "Penelope", "Layla", "Riley", "Zoey", "Nora", "Lily", "Eleanor", "Lillian", "Addison",
    "Aubrey", "Ellie", "Stella", "Natalie", "Zoe", "Leah", "Hazel", "Violet", "Aurora", "Savannah",
    "Audrey", "Brooklyn", "Bella", "Claire", "Skylar", "Lucy", "Paisley", "Everly", "Caroline",
    "Genesis", "Kennedy", "Kinsley", "Allison", "Maya", "Sarah", "Madelyn", "Adeline", "Alexa",
    "Ariana", "Elena", "Gabriella",
};
const size_t sim_names_female_count = SIM_COUNT(sim_names_female);

const char *const sim_names_male[] = {
    "John", "Paul", "Peter", "James", "Thomas", "Andrew", "Philip", "Simon", "Mark", "Luke",
    "Matthew", "Daniel", "Liam", "Noah", "Oliver", "Elijah", "William", "Benjamin", "Lucas",
    "Henry", "Alexander", "Mason", "Michael", "Ethan", "Jacob", "Logan", "Jackson", "Levi",
    "Sebastian", "Mateo", "Jack", "Owen", "Theodore", "Aiden", "Samuel", "Joseph", "David",
    "Wyatt", "Carter", "Julian", "Grayson", "Leo", "Jayden", "Gabriel", "Isaac", "Lincoln",
    "Anthony", "Hudson", "Dylan", "Ezra", "Charles", "Christopher", "Jaxon", "Maverick", "Josiah",
    "Isaiah", "Elias", "Joshua", "Nathan", "Caleb", "Ryan", "Adrian", "Miles", "Eli", "Nolan",
    "Christian", "Aaron", "Cameron", "Ezekiel",
};
const size_t sim_names_male_count = SIM_COUNT(sim_names_male);

const char *const sim_names_last[] = {
    "Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis", "Rodriguez",
    "Martinez", "Hernandez", "Lopez", "Gonzalez", "Wilson", "Anderson", "Thomas", "Taylor",
    "Moore", "Jackson", "Martin", "Lee", "Perez", "Thompson", "White", "Harris", "Sanchez",
    "Clark", "Ramirez", "Lewis", "Robinson", "Walker", "Young", "Allen", "King", "Wright", "Scott",
    "Torres", "Nguyen", "Hill", "Flores", "Green", "Adams", "Nelson", "Baker", "Hall", "Rivera",
    "Campbell", "Mitchell", "Carter", "Roberts", "Gomez", "Phillips", "Evans", "Turner", "Diaz",
    "Parker", "Cruz", "Edwards", "Collins", "Reyes", "Stewart", "Morris", "Morales", "Murphy",
    "Cook", "Rogers", "Gutierrez", "Ortiz", "Morgan", "Cooper", "Peterson", "Bailey", "Reed",
    "Kelly", "Howard", "Ramos", "Kim", "Cox", "Ward", "Richardson", "Watson", "Brooks", "Chavez",
    "Wood", "Bennett", "Gray", "Mendoza", "Ruiz", "Hughes", "Price", "Alvarez", "Castillo",
    "Sanders", "Patel", "Myers", "Long", "Ross", "Foster", "Jimenez", "Powell", "Jenkins", "Perry",
    "Russell", "Sullivan", "Bell", "Coleman", "Butler", "Henderson", "Barnes", "Fisher", "Vasquez",
    "Simmons", "Graham", "Murray", "Ford", "Castro", "Marshall", "Owens", "Harrison", "Fernandez",
    "McDonald", "Woods", "Washington", "Kennedy", "Wells", "Vargas", "Henry", "Chen", "Freeman",
    "Webb", "Tucker", "Guzman", "Burns", "Crawford", "Olson", "Simpson", "Porter", "Hunter",
    "Gordon", "Mendez", "Silva", "Shaw", "Snyder", "Mason", "Dixon", "Munoz", "Hunt", "Hicks",
    "Holmes", "Palmer", "Wagner", "Black", "Robertson", "Boyd", "Rose", "Stone", "Salazar", "Fox",
    "Warren", "Mills", "Meyer", "Rice", "Schmidt", "Garza", "Daniels", "Ferguson", "Nichols",
    "Stephens", "Soto", "Weaver", "Ryan", "Gardner", "Payne", "Grant", "Dunn", "Kelley", "Spencer",
    "Hawkins",
};
const size_t sim_names_last_count = SIM_COUNT(sim_names_last);

const char *const sim_names_ugly_first[] = {
    "Jos\303\251", "Zo\303\253", "Ren\303\251e", "Fran\303\247ois", "Bj\303\266rn", "\303\221usta",
    "\305\201ukasz", "\303\207a\304\237la", "Mary Ann", "Anne-Marie", "J.", "Nguy\341\273\205n",
    "D'Arcy", "\346\235\216", "\346\230\216\347\276\216",
    "\320\234\320\260\321\200\320\270\321\217",
    "\316\231\317\211\316\254\316\275\316\275\316\267\317\202", "\360\237\221\274 Angel",
    "\360\235\222\234\360\235\223\201\360\235\222\276\360\235\222\270\360\235\221\222",
    "\360\240\256\267\351\207\216", "  Trim ", "\"Buddy\" Bob", "x\\y", "e\314\201lise",
};
const size_t sim_names_ugly_first_count = SIM_COUNT(sim_names_ugly_first);

const char *const sim_names_ugly_last[] = {
    "O'Brien", "D'Angelo", "O\342\200\231Connor", "van der Berg", "de la Cruz", "M\303\274ller",
    "S\303\270rensen", "\305\273\303\263\305\202\304\207", "Garc\303\255a-M\303\241rquez",
    "St. John", "Smith-Jones", "\346\235\216", "\345\261\261\347\224\260",
    "\320\237\320\265\321\202\321\200\320\276\320\262",
    "\360\235\222\256\360\235\223\202\360\235\222\276\360\235\223\211\360\235\222\275",
    "\360\237\231\217Grace", "Jr", "<b>Bold</b>", "N/A", "Null", "%wild%", "a,b;c",
};
const size_t sim_names_ugly_last_count = SIM_COUNT(sim_names_ugly_last);

const char *const sim_names_street[] = {
    "Main St", "Oak Ave", "Maple Drive", "Church Rd", "2nd Street", "Elm St", "Lake View Blvd",
    "Pine Ct", "Calle Ocho", "Stra\303\237e des Friedens", "Hill Top Ln", "County Road 12",
};
const size_t sim_names_street_count = SIM_COUNT(sim_names_street);

const struct sim_city sim_cities[] = {
    {"Carlsbad", "CA", "92008"},
    {"Springfield", "IL", "62701"},
    {"Austin", "TX", "78701"},
    {"Nashville", "TN", "37201"},
    {"Boise", "ID", "83702"},
    {"Saint Paul", "MN", "55101"},
    {"Ca\303\261on City", "CO", "81212"},
    {"Portland", "OR", "97201"},
    {"Bangor", "ME", "04401"},
    {"New York", "NY", "10001-1234"},
};
const size_t sim_cities_count = SIM_COUNT(sim_cities);
